/* Reads an OpenAPI document into a contract. */
#include "policies/ascii.h"
#include "policies/contract_internal.h"

#include <stdlib.h>

static const struct {
    const char *key, *name;
} methods[METHODS] = {
    {"get", "GET"},     {"head", "HEAD"},     {"post", "POST"},       {"put", "PUT"},
    {"patch", "PATCH"}, {"delete", "DELETE"}, {"options", "OPTIONS"}, {"trace", "TRACE"},
};

int method_row(const char *name)
{
    for (int row = 0; row < METHODS; row++)
        if (strcmp(methods[row].key, name) == 0)
            return row;
    return -1;
}

const char *method_name(int row)
{
    return methods[row].name;
}

struct cursor cursor_enter(struct compiler *compiler, const struct cursor *from, const char *token)
{
    struct cursor cursor = {0};

    text_add(&cursor.pointer, from->pointer.data, from->pointer.length);
    text_add(&cursor.pointer, "", 0);
    if (token != NULL)
        pointer_add(&cursor.pointer, token);
    if (!cursor.pointer.failed)
        cursor.value = reference_follow(compiler->set->document, &cursor.pointer, compiler->problems);
    else
        complain(compiler, &from->pointer, NULL, "out of memory");
    return cursor;
}

void cursor_free(struct cursor *cursor)
{
    text_free(&cursor->pointer);
    cursor->value = NULL;
}

static bool is_among(const char *name, const char *const *known)
{
    for (; *known != NULL; known++)
        if (strcmp(name, *known) == 0)
            return true;
    return false;
}

bool cursor_check(struct compiler *compiler, const struct cursor *cursor, const char *const *known)
{
    const char *name;
    json_t *member;

    if (!json_is_object(cursor->value)) {
        complain(compiler, &cursor->pointer, NULL, "an object was expected");
        return false;
    }
    json_object_foreach (cursor->value, name, member) {
        if (is_among(name, known))
            continue;
        if (strcmp(name, "x-portcullis") == 0) {
            complain(compiler, &cursor->pointer, name, "\"x-portcullis\" has no effect here");
        } else if (strncmp(name, "x-", 2) != 0) {
            const char *nearest = nearest_name(name, known);
            complain(compiler, &cursor->pointer, name, "unknown member \"%s\"%s%s%s", name,
                     nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
        }
    }
    return true;
}

/* The path of a server's URL: "https://api.snyk.io/rest/" has "/rest". NULL when it cannot be a base path. */
static const char *base_of(struct compiler *compiler, const char *url)
{
    const char *host = strstr(url, "://");
    const char *path = host ? strchr(host + 3, '/') : url;
    size_t length = path ? strlen(path) : 0;

    while (length > 0 && path[length - 1] == '/')
        length--;
    if (length > 0 && path[0] != '/')
        return NULL;
    for (size_t i = 0; i < length; i++)
        if (!ascii_is_unreserved(path[i]) && path[i] != '/')
            return NULL;
    struct span copy = arena_copy(&compiler->set->arena, (struct span){path, length});
    if (copy.data == NULL)
        complain(compiler, &(struct text){0}, NULL, "out of memory");
    return copy.data ? copy.data : "";
}

static const char *read_base(struct compiler *compiler, const struct cursor *root)
{
    json_t *servers = json_object_get(root->value, "servers"), *url;
    struct text pointer = {0};
    const char *base = "";

    if (servers == NULL)
        return base;
    url = json_object_get(json_array_get(servers, 0), "url");
    if (!json_is_string(url)) {
        text_add_string(&pointer, "/servers");
        complain(compiler, &pointer, NULL, "an array was expected whose first entry has a \"url\"");
    } else if ((base = base_of(compiler, json_string_value(url))) == NULL) {
        text_add_string(&pointer, "/servers/0/url");
        complain(compiler, &pointer, NULL,
                 "a URL was expected whose path has letters, digits and \"-._~\" only, such as "
                 "\"https://api.snyk.io/rest\"");
        base = "";
    }
    text_free(&pointer);
    return base;
}

static const char *read_operation_id(struct compiler *compiler, const struct contract *contract,
                                     const struct cursor *place)
{
    const char *id = json_string_value(json_object_get(place->value, "operationId"));

    if (id == NULL || *id == '\0') {
        complain(compiler, &place->pointer, NULL,
                 "\"operationId\" is missing: logs and the journal name operations by it");
        return "";
    }
    for (size_t i = 0; i < contract->operation_count; i++)
        if (strcmp(contract->operations[i].id, id) == 0)
            complain(compiler, &place->pointer, "operationId", "another operation has this \"operationId\"");
    return compiler_string(compiler, id);
}

/* `common` has what all operations of the path share. */
static void read_operation(struct compiler *compiler, struct contract *contract, struct path *path,
                           const struct cursor *item, const char *method, const struct operation *common,
                           const struct declarations *shared)
{
    static const char *const known[] = {
        "tags",      "summary",   "description", "externalDocs", "operationId",  "parameters", "requestBody",
        "responses", "callbacks", "deprecated",  "security",     "x-portcullis", NULL,
    };
    struct operation operation = *common;
    struct cursor place = cursor_enter(compiler, item, method);
    int row = method_row(method);

    if (place.value != NULL && cursor_check(compiler, &place, known)) {
        operation.method = method_name(row);
        operation.id = read_operation_id(compiler, contract, &place);
        struct declarations own = declarations_read(compiler, &place, common);
        operation_set_parameters(compiler, &place, shared, &own, &operation);
        operation_read_body(compiler, &place, &operation);
        operation_read_permission(compiler, &place, &operation);

        struct operation *kept = &contract->operations[contract->operation_count];
        operation.index = (uint32_t)contract->operation_count++;
        *kept = operation;
        path->by_method[row] = kept;
        if (path->first == NULL)
            path->first = kept;
    }
    cursor_free(&place);
}

static void write_allow(struct compiler *compiler, const struct cursor *item, struct path *path)
{
    struct text allow = {0};

    for (int row = 0; row < METHODS; row++) {
        if (path->by_method[row] == NULL)
            continue;
        text_add_string(&allow, allow.length > 0 ? ", " : "");
        text_add_string(&allow, method_name(row));
    }
    if (allow.failed)
        complain(compiler, &item->pointer, NULL, "out of memory");
    else
        path->allow = compiler_string(compiler, allow.data ? allow.data : "");
    text_free(&allow);
}

static void read_operations(struct compiler *compiler, struct contract *contract, struct path *path,
                            const struct cursor *item)
{
    struct operation common = {.organization = -1, .resource = -1};
    const char *name;
    json_t *member;

    common.path = arena_format(&compiler->set->arena, "%s%s", contract->base, path->key);
    if (common.path == NULL) {
        complain(compiler, &item->pointer, NULL, "out of memory");
        return;
    }
    if (!operation_read_path(compiler, item, &common))
        return;
    struct declarations shared = declarations_read(compiler, item, &common);
    json_object_foreach (item->value, name, member) {
        if (method_row(name) >= 0)
            read_operation(compiler, contract, path, item, name, &common, &shared);
    }
}

static void read_path(struct compiler *compiler, struct contract *contract, const struct cursor *paths,
                      const char *key)
{
    static const char *const known[] = {
        "summary", "description", "parameters", "get",     "head",  "post",
        "put",     "patch",       "delete",     "options", "trace", NULL,
    };
    struct cursor item = cursor_enter(compiler, paths, key);

    if (key[0] != '/') {
        complain(compiler, &paths->pointer, key, "a path must begin with \"/\"");
    } else if (item.value != NULL && cursor_check(compiler, &item, known)) {
        struct path *path = &contract->paths[contract->path_count];
        path->key = compiler_string(compiler, key);
        if (path->key != NULL)
            read_operations(compiler, contract, path, &item);
        if (path->first != NULL) {
            write_allow(compiler, &item, path);
            contract->path_count++;
        }
    }
    cursor_free(&item);
}

static void read_paths(struct compiler *compiler, struct contract *contract, const struct cursor *root)
{
    struct cursor paths = cursor_enter(compiler, root, "paths");
    size_t count = json_object_size(paths.value);
    const char *key;
    json_t *item;

    contract->paths = compiler_take(compiler, count + 1, sizeof *contract->paths);
    contract->operations = compiler_take(compiler, count * METHODS + 1, sizeof *contract->operations);
    if (count == 0)
        complain(compiler, &paths.pointer, NULL, "an object was expected that has one path at least");
    if (contract->paths != NULL && contract->operations != NULL) {
        json_object_foreach (paths.value, key, item) {
            if (strncmp(key, "x-", 2) != 0)
                read_path(compiler, contract, &paths, key);
        }
        contract_check_paths(compiler, contract, &paths);
    }
    cursor_free(&paths);
}

static void read_root(struct compiler *compiler, struct contract *contract)
{
    static const char *const known[] = {
        "openapi", "info", "servers", "paths", "components", "security", "tags", "externalDocs", NULL,
    };
    struct cursor root = {compiler->set->document->root, {0}};
    json_t *version = json_object_get(root.value, "openapi");

    if (!cursor_check(compiler, &root, known))
        return;
    if (!json_is_string(version) || strncmp(json_string_value(version), "3.0.", 4) != 0)
        complain(compiler, &root.pointer, "openapi",
                 "the document must say that it is OpenAPI 3.0: \"3.0.3\"");
    contract->base = read_base(compiler, &root);
    read_paths(compiler, contract, &root);
}

struct contract *contract_compile(const struct document *document, struct problems *problems)
{
    struct contract *contract = calloc(1, sizeof *contract);
    size_t errors = problems->errors;

    if (contract == NULL || (contract->set = schema_set_new(document)) == NULL) {
        problems_add(problems, SEVERITY_ERROR, document, "", "out of memory");
        free(contract);
        return NULL;
    }
    read_root(&(struct compiler){contract->set, problems}, contract);
    if (problems->errors == errors && !contract_build_routes(contract))
        problems_add(problems, SEVERITY_ERROR, document, "", "out of memory");
    if (problems->errors > errors) {
        contract_free(contract);
        return NULL;
    }
    contract->set->document = NULL; /* it may go now */
    return contract;
}

void contract_free(struct contract *contract)
{
    if (contract == NULL)
        return;
    table_free(&contract->by_edge);
    free(contract->nodes);
    free(contract->edges);
    schema_set_free(contract->set);
    free(contract);
}

const char *contract_base(const struct contract *contract)
{
    return contract->base;
}

const struct operation *contract_operations(const struct contract *contract, size_t *count)
{
    *count = contract->operation_count;
    return contract->operations;
}
