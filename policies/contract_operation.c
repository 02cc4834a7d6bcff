/* Reads what one operation of an OpenAPI document takes: path, parameters and request body. */
#include "policies/ascii.h"
#include "policies/contract_internal.h"

#include <stdio.h>

#define ORGANIZATION "org_id"

/* What a literal segment is made of (RFC 3986 pchar, nothing percent-encoded, no ";"): it is compared with
 * decoded segments. */
static bool is_literal(struct span segment)
{
    return segment.length > 0 && ascii_run(segment, ASCII_SEGMENT) == segment.length &&
           !span_is(segment, ".") && !span_is(segment, "..");
}

static struct span parameter_name(struct span segment)
{
    struct span name = {NULL, 0};

    if (segment.length > 2 && segment.data[0] == '{' && segment.data[segment.length - 1] == '}')
        name = (struct span){segment.data + 1, segment.length - 2};
    if (name.data != NULL &&
        (memchr(name.data, '{', name.length) != NULL || memchr(name.data, '}', name.length) != NULL))
        name.data = NULL;
    return name;
}

/* NULL, or what is wrong with the segment. */
static const char *add_segment(struct compiler *compiler, struct span segment, struct operation *operation)
{
    struct span name = parameter_name(segment);

    if (operation->segment_count == OPERATION_SEGMENTS)
        return "a path has at most 16 segments";
    if (name.data == NULL && !is_literal(segment))
        return "a segment must be a plain text or one \"{parameter}\", and must not be empty";
    size_t index = operation->segment_count++;
    if (name.data == NULL) {
        operation->segments[index].literal = arena_copy(&compiler->set->arena, segment);
        return operation->segments[index].literal.data ? NULL : "out of memory";
    }
    for (size_t i = 0; i < index; i++)
        if (operation->segments[i].literal.data == NULL &&
            span_is(name, operation->segments[i].parameter.name))
            return "a parameter occurs twice in the path";
    struct span copy = arena_copy(&compiler->set->arena, name);
    if (copy.data == NULL)
        return "out of memory";
    operation->segments[index].parameter = (struct parameter){copy.data, copy.length, true, NULL};
    if (span_is(name, ORGANIZATION))
        operation->organization = (int)index;
    else
        operation->resource = (int)index;
    return NULL;
}

bool operation_read_path(struct compiler *compiler, const struct cursor *item, struct operation *operation)
{
    const char *at = operation->path;
    const char *error = NULL;

    while (error == NULL && *at == '/') {
        size_t length = strcspn(++at, "/");
        error = add_segment(compiler, (struct span){at, length}, operation);
        at += length;
    }
    if (error != NULL)
        complain(compiler, &item->pointer, NULL, "%s", error);
    return error == NULL;
}

enum where { IN_QUERY, IN_PATH };

struct declaration {
    const char *name;
    enum where where;
    bool required;
    const struct schema *schema;
};

static const struct declaration *find(const struct declarations *declarations, const char *name,
                                      enum where where)
{
    for (size_t i = 0; i < declarations->count; i++)
        if (declarations->list[i].where == where && strcmp(declarations->list[i].name, name) == 0)
            return &declarations->list[i];
    return NULL;
}

static bool has_segment(const struct operation *operation, const char *name)
{
    for (size_t i = 0; i < operation->segment_count; i++)
        if (operation->segments[i].literal.data == NULL &&
            strcmp(operation->segments[i].parameter.name, name) == 0)
            return true;
    return false;
}

/* A parameter is one text: its schema must say which scalar it spells. */
static const struct schema *read_parameter_schema(struct compiler *compiler, const struct cursor *parameter)
{
    const unsigned scalars = KIND_STRING | KIND_INTEGER | KIND_NUMBER | KIND_BOOLEAN;
    struct text pointer = {0};
    const struct schema *schema = NULL;

    if (json_object_get(parameter->value, "schema") == NULL) {
        complain(compiler, &parameter->pointer, NULL, "the parameter has no \"schema\"");
        return NULL;
    }
    text_add(&pointer, parameter->pointer.data, parameter->pointer.length);
    pointer_add(&pointer, "schema");
    schema = pointer.failed ? NULL : schema_compile(compiler->set, pointer.data, compiler->problems);
    if (pointer.failed)
        complain(compiler, &parameter->pointer, NULL, "out of memory");
    else if (schema != NULL && (schema->type == NULL || (schema->kinds & ~scalars) != 0))
        complain(compiler, &pointer, NULL, "a parameter must have type string, integer, number or boolean");
    text_free(&pointer);
    return schema;
}

/* OpenAPI has these three described elsewhere. */
static bool is_passed_over(const char *where, const char *name)
{
    return strcmp(where, "header") == 0 &&
           (strcasecmp(name, "Accept") == 0 || strcasecmp(name, "Content-Type") == 0 ||
            strcasecmp(name, "Authorization") == 0);
}

static void read_declaration(struct compiler *compiler, const struct cursor *parameter,
                             const struct operation *operation, struct declarations *declarations)
{
    const char *name = json_string_value(json_object_get(parameter->value, "name"));
    const char *in = json_string_value(json_object_get(parameter->value, "in"));
    json_t *required = json_object_get(parameter->value, "required");

    if (name == NULL || *name == '\0' || in == NULL) {
        complain(compiler, &parameter->pointer, NULL, "a parameter needs a \"name\" and \"in\"");
        return;
    }
    if (is_passed_over(in, name))
        return;
    if (strcmp(in, "query") != 0 && strcmp(in, "path") != 0) {
        complain(compiler, &parameter->pointer, "in",
                 "only \"query\" and \"path\" parameters can be checked");
        return;
    }
    enum where where = strcmp(in, "path") == 0 ? IN_PATH : IN_QUERY;
    if (required != NULL && !json_is_boolean(required))
        complain(compiler, &parameter->pointer, "required", "true or false was expected");
    else if (where == IN_PATH && !json_is_true(required))
        complain(compiler, &parameter->pointer, required ? "required" : NULL,
                 "a path parameter must be required");
    if (where == IN_PATH && !has_segment(operation, name))
        complain(compiler, &parameter->pointer, "name", "the path has no segment \"{%s}\"", name);
    if (find(declarations, name, where) != NULL)
        complain(compiler, &parameter->pointer, "name", "the parameter \"%s\" is declared twice", name);

    struct declaration declaration = {NULL, where, json_is_true(required), NULL};
    declaration.schema = read_parameter_schema(compiler, parameter);
    declaration.name = compiler_string(compiler, name);
    if (declaration.name != NULL)
        declarations->list[declarations->count++] = declaration;
}

struct declarations declarations_read(struct compiler *compiler, const struct cursor *place,
                                      const struct operation *operation)
{
    static const char *const known[] = {
        "name",  "in",      "description",   "required", "deprecated", "allowEmptyValue",
        "style", "explode", "allowReserved", "schema",   "example",    "examples",
        NULL,
    };
    struct declarations declarations = {0};
    struct cursor list = cursor_enter(compiler, place, "parameters");
    size_t count = json_array_size(list.value);

    if (list.value != NULL && !json_is_array(list.value))
        complain(compiler, &list.pointer, NULL, "an array of parameters was expected");
    declarations.list = compiler_take(compiler, count + 1, sizeof *declarations.list);
    for (size_t i = 0; declarations.list != NULL && i < count; i++) {
        char token[24];
        (void)snprintf(token, sizeof token, "%zu", i);
        struct cursor parameter = cursor_enter(compiler, &list, token);
        if (parameter.value != NULL && cursor_check(compiler, &parameter, known))
            read_declaration(compiler, &parameter, operation, &declarations);
        cursor_free(&parameter);
    }
    cursor_free(&list);
    return declarations;
}

static void add_queries(struct parameter *queries, size_t *count, const struct declarations *declarations,
                        const struct declarations *but)
{
    for (size_t i = 0; i < declarations->count; i++) {
        const struct declaration *each = &declarations->list[i];
        if (each->where == IN_QUERY && (but == NULL || find(but, each->name, IN_QUERY) == NULL))
            queries[(*count)++] =
                (struct parameter){each->name, strlen(each->name), each->required, each->schema};
    }
}

/* The set of the two parameters that ask for a page, each from another side; empty where one is missing. */
static uint64_t cursors_of(const struct operation *operation)
{
    uint64_t after = 0, before = 0;

    for (size_t i = 0; i < operation->query_count; i++) {
        if (strcmp(operation->query[i].name, "starting_after") == 0)
            after = UINT64_C(1) << i;
        if (strcmp(operation->query[i].name, "ending_before") == 0)
            before = UINT64_C(1) << i;
    }
    return after != 0 && before != 0 ? after | before : 0;
}

static void set_queries(struct compiler *compiler, const struct cursor *place, struct operation *operation)
{
    if (operation->query_count > OPERATION_QUERIES) {
        complain(compiler, &place->pointer, NULL, "an operation has at most %d query parameters",
                 OPERATION_QUERIES);
        operation->query_count = OPERATION_QUERIES;
    }
    for (size_t i = 0; i < operation->query_count; i++)
        operation->required |= (uint64_t)operation->query[i].required << i;
    operation->cursors = cursors_of(operation);
}

void operation_set_parameters(struct compiler *compiler, const struct cursor *place,
                              const struct declarations *shared, const struct declarations *own,
                              struct operation *operation)
{
    for (size_t i = 0; i < operation->segment_count; i++) {
        struct parameter *parameter = &operation->segments[i].parameter;
        if (operation->segments[i].literal.data != NULL)
            continue;
        const struct declaration *declaration = find(own, parameter->name, IN_PATH);
        if (declaration == NULL)
            declaration = find(shared, parameter->name, IN_PATH);
        if (declaration == NULL)
            complain(compiler, &place->pointer, NULL, "the path parameter \"%s\" is not declared",
                     parameter->name);
        else
            parameter->schema = declaration->schema;
        operation->parameters |= UINT32_C(1) << i;
        if (parameter->schema != NULL && schema_takes_uuids(parameter->schema))
            operation->uuids |= UINT32_C(1) << i;
    }
    struct parameter *queries = compiler_take(compiler, own->count + shared->count + 1, sizeof *queries);
    if (queries == NULL)
        return;
    add_queries(queries, &operation->query_count, own, NULL);
    add_queries(queries, &operation->query_count, shared, own);
    operation->query = queries;
    set_queries(compiler, place, operation);
}
