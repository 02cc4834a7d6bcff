#include "policies/document_internal.h"

bool pointer_next(const char **pointer, struct text *token)
{
    const char *at = *pointer;

    if (*at != '/')
        return false;
    text_clear(token);
    text_add(token, "", 0); /* an empty token is one too */
    for (at++; *at != '\0' && *at != '/'; at++) {
        if (*at == '~' && (at[1] == '0' || at[1] == '1'))
            text_add(token, *++at == '0' ? "~" : "/", 1);
        else
            text_add(token, at, 1);
    }
    *pointer = at;
    return !token->failed;
}

bool pointer_index(struct span token, size_t *index)
{
    if (token.length == 0 || token.length > 9 || (token.data[0] == '0' && token.length > 1))
        return false;
    *index = 0;
    for (size_t i = 0; i < token.length; i++) {
        if (token.data[i] < '0' || token.data[i] > '9')
            return false;
        *index = *index * 10 + (size_t)(token.data[i] - '0');
    }
    return true;
}

void pointer_add(struct text *pointer, const char *token)
{
    text_add(pointer, "/", 1);
    for (const char *c = token; *c != '\0'; c++) {
        if (*c == '~' || *c == '/')
            text_add_string(pointer, *c == '~' ? "~0" : "~1");
        else
            text_add(pointer, c, 1);
    }
}

/* Does the token, escapes included, mean the name? */
static bool token_is(struct span token, const char *name)
{
    for (size_t i = 0; i < token.length; i++, name++) {
        char c = token.data[i];
        if (c == '~' && i + 1 < token.length && (token.data[i + 1] == '0' || token.data[i + 1] == '1'))
            c = token.data[++i] == '0' ? '~' : '/';
        if (c != *name)
            return false;
    }
    return *name == '\0';
}

static json_t *member_named(json_t *object, struct span token)
{
    const char *name;
    json_t *member;

    json_object_foreach (object, name, member) {
        if (token_is(token, name))
            return member;
    }
    return NULL;
}

/* Takes no memory, so that NULL can only mean that there is no such value. */
json_t *pointer_get(json_t *root, const char *pointer)
{
    while (root != NULL && *pointer == '/') {
        struct span token = {pointer + 1, strcspn(pointer + 1, "/")};
        size_t index;
        pointer = token.data + token.length;
        if (json_is_object(root))
            root = member_named(root, token);
        else
            root = pointer_index(token, &index) ? json_array_get(root, index) : NULL;
    }
    return *pointer == '\0' ? root : NULL;
}
