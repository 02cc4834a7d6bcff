/* The keywords that say something about one value by itself. */
#include "policies/schema_compiler.h"

#include <stdint.h>

static const struct {
    const char *name;
    unsigned kinds;
    enum format format;
    bool secret;
} formats[] = {
    {"uuid", KIND_STRING, FORMAT_UUID, false},
    {"hostname", KIND_STRING, FORMAT_HOSTNAME, false},
    {"date", KIND_STRING, FORMAT_DATE, false},
    {"date-time", KIND_STRING, FORMAT_DATE_TIME, false},
    {"password", KIND_STRING, FORMAT_NONE, true},
    {"int32", KIND_INTEGER, FORMAT_INT32, false},
    {"int64", KIND_INTEGER, FORMAT_NONE, false}, /* the parser has no wider ones */
    {"float", KIND_INTEGER | KIND_NUMBER, FORMAT_NONE, false},
    {"double", KIND_INTEGER | KIND_NUMBER, FORMAT_NONE, false},
};

#define FORMATS (sizeof formats / sizeof *formats)

void read_flag(const struct reading *reading)
{
    bool *field = reading->field;

    if (!json_is_boolean(reading->value))
        complain(reading->compiler, reading->pointer, NULL, "true or false was expected");
    *field = json_is_true(reading->value);
}

void read_size(const struct reading *reading)
{
    size_t *field = reading->field;

    if (!json_is_integer(reading->value) || json_integer_value(reading->value) < 0)
        complain(reading->compiler, reading->pointer, NULL, "an integer not below 0 was expected");
    else
        *field = (size_t)json_integer_value(reading->value);
}

void read_number(const struct reading *reading)
{
    const json_t **field = reading->field;

    if (!json_is_number(reading->value))
        complain(reading->compiler, reading->pointer, NULL, "a number was expected");
    else if (field == &reading->schema->multiple && json_number_value(reading->value) <= 0)
        complain(reading->compiler, reading->pointer, NULL, "a number above 0 was expected");
    else
        *field = compiler_keep(reading->compiler, reading->value);
}

void read_enum(const struct reading *reading)
{
    const json_t **field = reading->field;
    size_t index;
    json_t *element;

    if (json_array_size(reading->value) == 0) {
        complain(reading->compiler, reading->pointer, NULL, "an array of one value at least was expected");
        return;
    }
    json_array_foreach (reading->value, index, element) {
        if ((kind_of(element) & (reading->schema->kinds | KIND_NULL)) == 0)
            complain(reading->compiler, reading->pointer, NULL, "value %zu is not of type \"%s\"", index,
                     reading->schema->type);
    }
    *field = compiler_keep(reading->compiler, reading->value);
}

void read_pattern(const struct reading *reading)
{
    char error[200];

    if (!json_is_string(reading->value)) {
        complain(reading->compiler, reading->pointer, NULL, "a text was expected");
        return;
    }
    struct span expression = {json_string_value(reading->value), json_string_length(reading->value)};
    reading->schema->pattern = pattern_compile(expression, error, sizeof error);
    if (reading->schema->pattern == NULL)
        complain(reading->compiler, reading->pointer, NULL, "%s", error);
}

void read_format(const struct reading *reading)
{
    const char *name = json_string_value(reading->value), *names[FORMATS + 1] = {NULL};

    for (size_t i = 0; i < FORMATS; i++) {
        names[i] = formats[i].name;
        if (name == NULL || strcmp(name, names[i]) != 0)
            continue;
        if ((formats[i].kinds & reading->schema->kinds) == 0)
            complain(reading->compiler, reading->pointer, NULL,
                     "\"%s\" says nothing about a value of type \"%s\"", name, reading->schema->type);
        reading->schema->format = formats[i].format;
        reading->schema->secret |= formats[i].secret;
        return;
    }
    const char *nearest = name ? nearest_name(name, names) : NULL;
    complain(reading->compiler, reading->pointer, NULL, "this format cannot be checked%s%s%s",
             nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
}

/* x-portcullis: {"secret": true} */
void read_extension(const struct reading *reading)
{
    const char *name;
    json_t *member;

    if (!json_is_object(reading->value))
        complain(reading->compiler, reading->pointer, NULL, "an object was expected: {\"secret\": true}");
    json_object_foreach (reading->value, name, member) {
        if (strcmp(name, "secret") != 0)
            complain(reading->compiler, reading->pointer, name,
                     "unknown member \"%s\"; a schema has \"secret\" here", name);
        else if (!json_is_boolean(member))
            complain(reading->compiler, reading->pointer, name, "true or false was expected");
        else
            reading->schema->secret |= json_is_true(member);
    }
}
