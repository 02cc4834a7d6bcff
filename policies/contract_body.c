/* Reads an operation's request body, and what one must be allowed to do to use it. */
#include "policies/ascii.h"
#include "policies/contract_internal.h"

/* The schema of one media type. */
static const struct schema *read_media_type(struct compiler *compiler, const struct cursor *content,
                                            const char *name)
{
    static const char *const known[] = {"schema", "example", "examples", NULL};
    struct cursor media = cursor_enter(compiler, content, name);
    const struct schema *schema = NULL;

    if (strcmp(name, "application/vnd.api+json") != 0 && strcmp(name, "application/json") != 0) {
        complain(compiler, &content->pointer, name,
                 "only application/vnd.api+json and application/json can be checked");
    } else if (media.value != NULL && cursor_check(compiler, &media, known)) {
        if (json_object_get(media.value, "schema") == NULL) {
            complain(compiler, &media.pointer, NULL, "the content has no \"schema\"");
        } else {
            pointer_add(&media.pointer, "schema");
            if (media.pointer.failed)
                complain(compiler, &content->pointer, NULL, "out of memory");
            else
                schema = schema_compile(compiler->set, media.pointer.data, compiler->problems);
        }
    }
    cursor_free(&media);
    return schema;
}

static void read_content(struct compiler *compiler, const struct cursor *body, struct operation *operation)
{
    struct cursor content = cursor_enter(compiler, body, "content");
    const char *name;
    json_t *media;

    if (json_object_size(content.value) == 0)
        complain(compiler, &body->pointer, NULL, "\"content\" with one media type at least was expected");
    json_object_foreach (content.value, name, media) {
        const struct schema *schema = read_media_type(compiler, &content, name);
        if (schema != NULL && operation->body != NULL && schema != operation->body)
            complain(compiler, &content.pointer, name,
                     "both media types must have the same schema (a \"$ref\")");
        operation->body = schema;
    }
    cursor_free(&content);
}

void operation_read_body(struct compiler *compiler, const struct cursor *place, struct operation *operation)
{
    static const char *const known[] = {"description", "content", "required", NULL};
    struct cursor body = cursor_enter(compiler, place, "requestBody");

    if (body.value != NULL && cursor_check(compiler, &body, known)) {
        json_t *required = json_object_get(body.value, "required");
        if (required != NULL && !json_is_boolean(required))
            complain(compiler, &body.pointer, "required", "true or false was expected");
        operation->body_required = json_is_true(required);
        if (strcmp(operation->method, "POST") == 0 || strcmp(operation->method, "PUT") == 0 ||
            strcmp(operation->method, "PATCH") == 0)
            read_content(compiler, &body, operation);
        else
            complain(compiler, &body.pointer, NULL, "content on %s is always refused", operation->method);
    }
    cursor_free(&body);
}

static const struct {
    const char *name;
    enum effect effect;
} effects[] = {
    {"read", EFFECT_READ},
    {"create", EFFECT_CREATE},
    {"update", EFFECT_UPDATE},
    {"hard-delete", EFFECT_HARD_DELETE},
};

static bool is_safe(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 || strcmp(method, "OPTIONS") == 0 ||
           strcmp(method, "TRACE") == 0;
}

static enum effect effect_of(const char *method)
{
    if (is_safe(method))
        return EFFECT_READ;
    if (strcmp(method, "POST") == 0)
        return EFFECT_CREATE;
    return strcmp(method, "DELETE") == 0 ? EFFECT_HARD_DELETE : EFFECT_UPDATE;
}

static void read_effect(struct compiler *compiler, const struct cursor *extension,
                        struct operation *operation)
{
    json_t *value = json_object_get(extension->value, "effect");
    const char *name = json_string_value(value);

    operation->effect = effect_of(operation->method);
    if (value == NULL)
        return;
    for (size_t i = 0; name != NULL && i < sizeof effects / sizeof *effects; i++) {
        if (strcmp(name, effects[i].name) != 0)
            continue;
        operation->effect = effects[i].effect;
        if (effects[i].effect == EFFECT_READ && !is_safe(operation->method))
            complain(compiler, &extension->pointer, "effect",
                     "%s is not a safe method: its effect cannot be \"read\"", operation->method);
        return;
    }
    complain(compiler, &extension->pointer, "effect",
             "the effect must be one of read, create, update, hard-delete");
}

static void complain_of_permission(struct compiler *compiler, const struct cursor *place, const char *token,
                                   const char *name)
{
    const char *nearest = nearest_name(name, permission_names());

    complain(compiler, &place->pointer, token, "unknown permission \"%s\"%s%s%s", name,
             nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
}

/* Is it written like a permission: "org.integration.read"? */
static bool looks_like_permission(struct span name)
{
    bool known_start = name.length > 4 && memcmp(name.data, "org.", 4) == 0;

    known_start |= name.length > 6 && memcmp(name.data, "group.", 6) == 0;
    known_start |= name.length > 7 && memcmp(name.data, "tenant.", 7) == 0;
    for (size_t i = 0; i < name.length; i++)
        if (!ascii_is_letter(name.data[i]) && !ascii_is_digit(name.data[i]) && name.data[i] != '.' &&
            name.data[i] != '_' && name.data[i] != '-')
            return false;
    return known_start;
}

/* "View integrations (org.integration.read)": every permission in round brackets is needed. */
static void find_permissions(struct compiler *compiler, const struct cursor *place,
                             struct operation *operation)
{
    json_t *description = json_object_get(place->value, "description");
    const char *text = json_is_string(description) ? json_string_value(description) : "";

    while ((text = strchr(text, '(')) != NULL) {
        text++;
        struct span name = {text, strcspn(text, "()")};
        if (text[name.length] != ')' || !looks_like_permission(name))
            continue;
        const char *copy = arena_copy(&compiler->set->arena, name).data;
        permission_set set = permission_named(name);
        operation->permission |= set;
        if (copy == NULL)
            complain(compiler, &place->pointer, NULL, "out of memory");
        else if (set == 0)
            complain_of_permission(compiler, place, "description", copy);
        else
            operation->permission_name = copy;
    }
    if (operation->permission !=
        permission_named(span_of(operation->permission_name ? operation->permission_name : "")))
        operation->permission_name = permission_name(operation->permission);
}

void operation_read_permission(struct compiler *compiler, const struct cursor *place,
                               struct operation *operation)
{
    static const char *const known[] = {"permission", "effect", NULL};
    struct cursor extension = cursor_enter(compiler, place, "x-portcullis");
    json_t *permission = json_object_get(extension.value, "permission");
    const char *name = json_string_value(permission);
    size_t errors = compiler->problems->errors;

    if (extension.value != NULL)
        (void)cursor_check(compiler, &extension, known);
    read_effect(compiler, &extension, operation);
    if (permission == NULL) {
        find_permissions(compiler, place, operation);
        if (operation->permission == 0 && compiler->problems->errors == errors)
            complain(compiler, &place->pointer, NULL,
                     "no permission: neither \"x-portcullis\" nor the description "
                     "(\"(org.integration.read)\") names one");
    } else if (name == NULL) {
        complain(compiler, &extension.pointer, "permission", "the name of a permission was expected");
    } else if ((operation->permission = permission_named(span_of(name))) == 0) {
        complain_of_permission(compiler, &extension, "permission", name);
    } else {
        operation->permission_name = permission_name(operation->permission);
    }
    cursor_free(&extension);
}
