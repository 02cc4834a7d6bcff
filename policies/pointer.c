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

json_t *pointer_get(json_t *root, const char *pointer)
{
    struct text token = {0};
    size_t index;

    while (root != NULL && pointer_next(&pointer, &token)) {
        if (json_is_object(root))
            root = json_object_get(root, token.data);
        else if (json_is_array(root) && pointer_index((struct span){token.data, token.length}, &index))
            root = json_array_get(root, index);
        else
            root = NULL;
    }
    bool whole = *pointer == '\0' && !token.failed;
    text_free(&token);
    return whole ? root : NULL;
}
