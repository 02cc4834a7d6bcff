/* Reading the members of a policy file, and noting what is wrong with them. */
#include "policies/ascii.h"
#include "policies/policy_compiler.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Among more names than this a slip of the keyboard is not looked for. */
#define NAMES_SEARCHED 1000

/* Beyond this nobody reads on, and finding the line of each takes a walk through the file. */
#define NOTES_SHOWN 1000

#define MESSAGE_SIZE 512 /* longer ones are cut: only names that the file holds can make them so */

static void add(struct compiler *compiler, enum severity severity, const struct place *place,
                const char *code, const char *message)
{
    struct text pointer = place_pointer(place);

    if (pointer.failed)
        compiler->problems->errors++;
    else if (code != NULL)
        problems_add_kind(compiler->problems, SEVERITY_WARNING, compiler->document, pointer.data, code, "%s",
                          message);
    else
        problems_add(compiler->problems, severity, compiler->document, pointer.data, "%s", message);
    text_free(&pointer);
}

static void note(struct compiler *compiler, enum severity severity, const struct place *place,
                 const char *code, const char *message)
{
    if (compiler->noted++ < NOTES_SHOWN)
        add(compiler, severity, place, code, message);
    else if (severity == SEVERITY_ERROR)
        compiler->problems->errors++;
}

void note_error(struct compiler *compiler, const struct place *place, const char *format, ...)
{
    char message[MESSAGE_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    note(compiler, SEVERITY_ERROR, place, NULL, message);
}

void note_warning(struct compiler *compiler, const struct place *place, const char *format, ...)
{
    char message[MESSAGE_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    note(compiler, SEVERITY_WARNING, place, NULL, message);
}

void note_kind(struct compiler *compiler, const struct place *place, const char *code, const char *format,
               ...)
{
    char message[MESSAGE_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    note(compiler, SEVERITY_WARNING, place, code, message);
}

void note_memory(struct compiler *compiler)
{
    note_error(compiler, NULL, "out of memory");
}

void note_rest(struct compiler *compiler)
{
    char message[96];

    if (compiler->noted <= NOTES_SHOWN)
        return;
    (void)snprintf(message, sizeof message, "%zu more errors and warnings are not shown",
                   compiler->noted - NOTES_SHOWN);
    add(compiler, SEVERITY_WARNING, NULL, NULL, message);
}

void note_unknown(struct compiler *compiler, const struct place *place, const char *what, const char *section,
                  const char *name)
{
    json_t *members = json_object_get(compiler->document->root, section);
    size_t count = json_object_size(members), at = 0;
    const char **known = count <= NAMES_SEARCHED ? calloc(count + 1, sizeof *known) : NULL;
    const char *member, *hint = "";
    json_t *value;
    char room[96];

    if (known != NULL) {
        json_object_foreach (members, member, value) {
            known[at++] = member;
        }
        hint = suggestion(name, known, room, sizeof room);
    }
    note_error(compiler, place, "unknown %s \"%s\"%s", what, name, hint);
    free(known);
}

bool value_is(struct compiler *compiler, const struct place *place, const json_t *value, json_type type)
{
    const char *name = type == JSON_OBJECT ? "an object" : type == JSON_ARRAY ? "an array" : "a string";

    if (value != NULL && json_typeof(value) == type)
        return true;
    if (value != NULL)
        note_error(compiler, place, "must be %s", name);
    return false;
}

void members_check(struct compiler *compiler, const struct place *place, json_t *object,
                   const char *const *known)
{
    const char *name;
    json_t *value;
    char room[96];

    json_object_foreach (object, name, value) {
        struct place here = {.above = place, .member = name};
        const char *const *at = known;
        while (*at != NULL && strcmp(*at, name) != 0)
            at++;
        if (*at == NULL)
            note_error(compiler, &here, "unknown member \"%s\"%s", name,
                       suggestion(name, known, room, sizeof room));
        else if (strcmp(name, "description") == 0)
            (void)value_is(compiler, &here, value, JSON_STRING);
    }
}

struct span string_span(const json_t *string)
{
    return (struct span){json_string_value(string), json_string_length(string)};
}

const char *policy_copy(struct compiler *compiler, struct span text)
{
    struct span copy = arena_copy(&compiler->policy->texts, text);

    if (copy.data == NULL)
        note_memory(compiler);
    return copy.data;
}

/* The name of an environment variable as shells can set it. */
static bool is_variable(struct span name)
{
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        if (c != '_' && !ascii_is_letter(c) && (i == 0 || !ascii_is_digit(c)))
            return false;
    }
    return name.length > 0;
}

int credential_compile(struct compiler *compiler, const struct place *above, json_t *object)
{
    static const char *const known[] = {"env", "file", NULL};
    const struct place place = {.above = above, .member = "upstream_token"};
    json_t *value = json_object_get(object, "upstream_token");
    struct policy *policy = compiler->policy;

    if (!value_is(compiler, &place, value, JSON_OBJECT))
        return CREDENTIAL_OWN;
    members_check(compiler, &place, value, known);

    json_t *env = json_object_get(value, "env"), *file = json_object_get(value, "file");
    const struct place here = {.above = &place, .member = env ? "env" : "file"};
    if ((env == NULL) == (file == NULL)) {
        note_error(compiler, &place, "needs one of {\"env\": NAME} and {\"file\": PATH}, and not both");
        return CREDENTIAL_OWN;
    }
    if (!value_is(compiler, &here, env ? env : file, JSON_STRING))
        return CREDENTIAL_OWN;

    struct span name = string_span(env ? env : file);
    if (env != NULL ? !is_variable(name) : name.length == 0) {
        note_error(compiler, &here,
                   env ? "is not the name of an environment variable" : "the path of a file is empty");
        return CREDENTIAL_OWN;
    }
    struct text pointer = place_pointer(&place);
    struct credential_source source = {
        .kind = env ? CREDENTIAL_ENV : CREDENTIAL_FILE,
        .name = policy_copy(compiler, name),
        .pointer = policy_copy(compiler, (struct span){pointer.data, pointer.length}),
    };
    text_free(&pointer);
    policy->credentials[policy->credential_count] = source;
    return (int)policy->credential_count++;
}
