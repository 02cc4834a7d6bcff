/* Schema sets, and how a Schema Object becomes a struct schema. One table says which keywords there are,
 * which kinds of value each speaks of, and who reads it. */
#include "policies/schema_compiler.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct keyword {
    const char *name;
    unsigned kinds;                              /* that it says something about */
    void (*read)(const struct reading *reading); /* NULL: read elsewhere, or said for people only */
    size_t offset;
};

#define FIELD(name) offsetof(struct schema, name)

static const struct keyword keywords[] = {
    {"type", KIND_ANY, NULL, 0},
    {"nullable", KIND_ANY, read_flag, FIELD(nullable)},
    {"enum", KIND_ANY, read_enum, FIELD(enumeration)},
    {"properties", KIND_OBJECT, read_properties, 0},
    {"required", KIND_OBJECT, read_required, 0},
    {"additionalProperties", KIND_OBJECT, read_additional, 0},
    {"discriminator", KIND_OBJECT, NULL, 0},
    {"pattern", KIND_STRING, read_pattern, FIELD(pattern)},
    {"format", KIND_STRING | KIND_INTEGER | KIND_NUMBER, read_format, FIELD(format)},
    {"minLength", KIND_STRING, read_size, FIELD(min_length)},
    {"maxLength", KIND_STRING, read_size, FIELD(max_length)},
    {"items", KIND_ARRAY, read_schema, FIELD(items)},
    {"minItems", KIND_ARRAY, read_size, FIELD(min_items)},
    {"maxItems", KIND_ARRAY, read_size, FIELD(max_items)},
    {"minimum", KIND_INTEGER | KIND_NUMBER, read_number, FIELD(minimum)},
    {"maximum", KIND_INTEGER | KIND_NUMBER, read_number, FIELD(maximum)},
    {"multipleOf", KIND_INTEGER | KIND_NUMBER, read_number, FIELD(multiple)},
    {"oneOf", KIND_ANY, read_branches, FIELD(one_of)},
    {"anyOf", KIND_ANY, read_branches, FIELD(any_of)},
    {"allOf", KIND_ANY, read_branches, FIELD(all_of)},
    {"x-portcullis", KIND_ANY, read_extension, 0},
    {"title", KIND_ANY, NULL, 0},
    {"description", KIND_ANY, NULL, 0},
    {"default", KIND_ANY, NULL, 0},
    {"example", KIND_ANY, NULL, 0},
    {"deprecated", KIND_ANY, NULL, 0},
    {"readOnly", KIND_ANY, NULL, 0},
    {"writeOnly", KIND_ANY, NULL, 0},
    {"externalDocs", KIND_ANY, NULL, 0},
    {"xml", KIND_ANY, NULL, 0},
};

#define KEYWORDS (sizeof keywords / sizeof *keywords)

static const struct {
    const char *name;
    unsigned kinds;
} types[] = {
    {"object", KIND_OBJECT},   {"array", KIND_ARRAY},     {"string", KIND_STRING},
    {"integer", KIND_INTEGER}, {"boolean", KIND_BOOLEAN}, {"number", KIND_INTEGER | KIND_NUMBER},
};

void complain(struct compiler *compiler, const struct text *pointer, const char *token, const char *format,
              ...)
{
    struct text place = {0};
    char words[512];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    text_add(&place, pointer->data, pointer->length);
    text_add(&place, "", 0);
    if (token != NULL)
        pointer_add(&place, token);
    problems_add(compiler->problems, SEVERITY_ERROR, compiler->set->document, place.failed ? "" : place.data,
                 "%s", words);
    text_free(&place);
}

static void *out_of_memory(struct compiler *compiler)
{
    problems_add(compiler->problems, SEVERITY_ERROR, compiler->set->document, "", "out of memory");
    return NULL;
}

void *compiler_take(struct compiler *compiler, size_t count, size_t size)
{
    void *taken = count < SIZE_MAX / 2 / size ? arena_take(&compiler->set->arena, count * size) : NULL;

    return taken ? memset(taken, 0, count * size) : out_of_memory(compiler);
}

const char *compiler_string(struct compiler *compiler, const char *string)
{
    struct span copy = arena_copy(&compiler->set->arena, span_of(string));

    return copy.data ? copy.data : out_of_memory(compiler);
}

const json_t *compiler_keep(struct compiler *compiler, const json_t *value)
{
    json_t *copy = json_deep_copy(value);

    if (json_array_append_new(compiler->set->copies, copy) != 0)
        return out_of_memory(compiler);
    return copy;
}

enum kind kind_of(const json_t *value)
{
    static const enum kind kinds[] = {
        [JSON_OBJECT] = KIND_OBJECT,   [JSON_ARRAY] = KIND_ARRAY, [JSON_STRING] = KIND_STRING,
        [JSON_INTEGER] = KIND_INTEGER, [JSON_REAL] = KIND_NUMBER, [JSON_TRUE] = KIND_BOOLEAN,
        [JSON_FALSE] = KIND_BOOLEAN,   [JSON_NULL] = KIND_NULL,
    };

    return kinds[json_typeof(value)];
}

static void read_type(const struct reading *schema)
{
    json_t *type = json_object_get(schema->value, "type");
    const char *name = json_string_value(type);

    schema->schema->kinds = KIND_ANY;
    if (type == NULL)
        return;
    for (size_t i = 0; name != NULL && i < sizeof types / sizeof *types; i++)
        if (strcmp(name, types[i].name) == 0) {
            schema->schema->kinds = types[i].kinds;
            schema->schema->type = types[i].name;
            return;
        }
    complain(schema->compiler, schema->pointer, "type",
             "the type must be one of object, array, string, integer, number, boolean");
}

static const struct keyword *keyword_named(const char *name)
{
    for (size_t i = 0; i < KEYWORDS; i++)
        if (strcmp(name, keywords[i].name) == 0)
            return &keywords[i];
    return NULL;
}

static void complain_of_unknown(const struct reading *schema, const char *name)
{
    const char *names[KEYWORDS + 1] = {NULL};

    for (size_t i = 0; i < KEYWORDS; i++)
        names[i] = keywords[i].name;
    const char *nearest = nearest_name(name, names);
    complain(schema->compiler, schema->pointer, name, "keyword \"%s\" cannot be checked%s%s%s", name,
             nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
}

static void read_keyword(const struct reading *schema, const char *name, json_t *value)
{
    const struct keyword *keyword = keyword_named(name);
    struct text pointer = {0};

    if (keyword == NULL) {
        if (strncmp(name, "x-", 2) != 0)
            complain_of_unknown(schema, name);
        return;
    }
    if ((keyword->kinds & schema->schema->kinds) == 0) {
        complain(schema->compiler, schema->pointer, name, "\"%s\" says nothing about a value of type \"%s\"",
                 name, schema->schema->type);
        return;
    }
    if (keyword->read == NULL)
        return;
    text_add(&pointer, schema->pointer->data, schema->pointer->length);
    pointer_add(&pointer, name);
    if (pointer.failed)
        (void)out_of_memory(schema->compiler);
    else
        keyword->read(&(struct reading){schema->compiler, schema->schema, value, &pointer,
                                        (char *)schema->schema + keyword->offset});
    text_free(&pointer);
}

/* What no keyword shows alone. */
static void check_whole(const struct reading *reading)
{
    const struct schema *schema = reading->schema;

    if (schema->min_length > schema->max_length)
        complain(reading->compiler, reading->pointer, "maxLength", "less than minLength");
    if (schema->min_items > schema->max_items)
        complain(reading->compiler, reading->pointer, "maxItems", "less than minItems");
    if (schema->minimum && schema->maximum &&
        json_number_value(schema->minimum) > json_number_value(schema->maximum))
        complain(reading->compiler, reading->pointer, "maximum", "less than minimum");
    if (schema->kinds == KIND_ARRAY && json_object_get(reading->value, "items") == NULL)
        complain(reading->compiler, reading->pointer, NULL, "an array needs \"items\"");
    for (size_t i = 0; schema->additional == ADDITIONAL_NONE && i < schema->required_count; i++)
        if (schema->required[i] != NULL && schema_member(schema, schema->required[i]) == NULL)
            complain(reading->compiler, reading->pointer, "required",
                     "\"%s\" is required, but neither a property nor allowed as another member",
                     schema->required[i]);
}

/* `pointer` is where the value stands. The schema is in the set before its keywords are read, because they
 * may lead back to it. */
static struct schema *compile_value(struct compiler *compiler, json_t *value, struct text *pointer)
{
    const char *name;
    json_t *member;

    if (!json_is_object(value)) {
        complain(compiler, pointer, NULL, "a schema must be an object");
        return NULL;
    }
    struct schema *schema = compiler_take(compiler, 1, sizeof *schema);
    if (schema == NULL)
        return NULL;
    schema->pointer = compiler_string(compiler, pointer->data);
    if (schema->pointer == NULL)
        return NULL;
    schema->max_length = schema->max_items = SIZE_MAX;
    schema->next = compiler->set->schemas;
    compiler->set->schemas = schema;

    struct reading reading = {compiler, schema, value, pointer, NULL};
    read_type(&reading);
    json_object_foreach (value, name, member) {
        read_keyword(&reading, name, member);
    }
    if (json_object_get(value, "discriminator") != NULL)
        read_discriminator(&reading);
    check_whole(&reading);
    return schema;
}

static struct schema *schema_at(const struct schema_set *set, const char *pointer)
{
    for (struct schema *schema = set->schemas; schema != NULL; schema = schema->next)
        if (strcmp(schema->pointer, pointer) == 0)
            return schema;
    return NULL;
}

struct schema *compile_below(struct compiler *compiler, const struct text *pointer, const char *token)
{
    struct text place = {0};
    struct schema *schema = NULL;

    text_add(&place, pointer->data, pointer->length);
    text_add(&place, "", 0);
    if (token != NULL)
        pointer_add(&place, token);
    place.failed |= pointer->failed; /* it would be another place */
    json_t *value =
        place.failed ? NULL : reference_follow(compiler->set->document, &place, compiler->problems);
    if (place.failed)
        (void)out_of_memory(compiler);
    else if (value != NULL && (schema = schema_at(compiler->set, place.data)) == NULL)
        schema = compile_value(compiler, value, &place);
    text_free(&place);
    return schema;
}

/* Does the schema contain itself without a member or element in between? Checking a value against it would
 * not end. */
static bool is_circular(struct schema *schema)
{
    const struct branches *lists[] = {&schema->one_of, &schema->any_of, &schema->all_of};
    bool circular = schema->visit == VISIT_NOW;

    if (schema->visit != VISIT_NOT)
        return circular;
    schema->visit = VISIT_NOW;
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < lists[i]->count; j++)
            if (lists[i]->list[j] != NULL)
                circular |= is_circular(lists[i]->list[j]);
    schema->visit = VISIT_DONE;
    return circular;
}

const struct schema *schema_compile(struct schema_set *set, const char *pointer, struct problems *problems)
{
    struct compiler compiler = {set, problems};
    struct text place = {0};
    size_t errors = problems->errors;

    text_add_string(&place, pointer);
    if (!place.failed && pointer_get(set->document->root, place.data) == NULL)
        complain(&compiler, &place, NULL, "there is no schema here");
    const struct schema *schema = compile_below(&compiler, &place, NULL);
    text_free(&place);

    for (struct schema *each = set->schemas; each != NULL; each = each->next)
        if (each->visit == VISIT_NOT && is_circular(each))
            problems_add(problems, SEVERITY_ERROR, set->document, each->pointer,
                         "the schema contains itself through its oneOf, anyOf or allOf");
    set->broken |= problems->errors > errors;
    return set->broken ? NULL : schema;
}

struct schema_set *schema_set_new(const struct document *document)
{
    struct schema_set *set = calloc(1, sizeof *set);

    if (set == NULL)
        return NULL;
    set->document = document;
    set->copies = json_array();
    arena_init(&set->arena);
    if (set->copies == NULL) {
        schema_set_free(set);
        return NULL;
    }
    return set;
}

void schema_set_free(struct schema_set *set)
{
    if (set == NULL)
        return;
    for (struct schema *schema = set->schemas; schema != NULL; schema = schema->next)
        pattern_free(schema->pattern);
    json_decref(set->copies);
    arena_reset(&set->arena);
    free(set);
}
