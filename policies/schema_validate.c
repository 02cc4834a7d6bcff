/* Checks values against compiled schemas. */
#include "policies/ascii.h"
#include "policies/schema_check.h"
#include "policies/utf8.h"
#include "policies/uuid.h"

static const char no_memory[] = "Memory is out.";

#define STEPS 1000000u

/* Values equal to one of the enumeration, which may be shown: the contract is no secret. */
static void check_enumeration(struct check *check, const json_t *enumeration, const json_t *value,
                              const struct place *place)
{
    size_t count = json_array_size(enumeration), strings = 0;

    for (size_t i = 0; i < count; i++)
        if (json_equal(json_array_get(enumeration, i), value))
            return;

    const char **names = arena_take(check->arena, count * sizeof *names);
    for (size_t i = 0; names != NULL && i < count; i++)
        if (json_is_string(json_array_get(enumeration, i)))
            names[strings++] = json_string_value(json_array_get(enumeration, i));
    if (strings == count)
        check_report(check, place, "The value must be %s%s.", count > 1 ? "one of " : "",
                     check_list(check, names, count));
    else
        check_report(check, place, "The value must be one of those that the contract lists.");
}

static size_t count_characters(struct span text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.length; i++)
        count += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return count;
}

static void check_format(struct check *check, enum format format, struct span text, const struct place *place)
{
    static const char *const wanted[] = {
        [FORMAT_NONE] = "a text",
        [FORMAT_UUID] = "a UUID",
        [FORMAT_HOSTNAME] = "a host name, without scheme, port and path",
        [FORMAT_DATE] = "a date that exists, as YYYY-MM-DD",
        [FORMAT_DATE_TIME] = "a time as YYYY-MM-DDThh:mm:ssZ (RFC 3339)",
        [FORMAT_INT32] = "a number",
    };

    if (!format_matches(format, text))
        check_report(check, place, "The value must be %s.", wanted[format]);
}

static void check_string(struct check *check, const struct schema *schema, struct span text,
                         const struct place *place)
{
    /* Most have no bounds, and then nothing needs counting. */
    bool bounded = schema->min_length > 1 || schema->max_length < text.length;
    size_t length = bounded ? count_characters(text) : text.length;

    if (length < schema->min_length && length == 0)
        check_report(check, place, "The value must not be empty.");
    else if (length < schema->min_length)
        check_report(check, place, "The value must have at least %zu characters.", schema->min_length);
    else if (length > schema->max_length)
        check_report(check, place, "The value must have at most %zu characters.", schema->max_length);
    if (length == 0 && schema->min_length > 0)
        return; /* said once */
    check_format(check, schema->format, text, place);
    if (schema->pattern == NULL)
        return;
    switch (pattern_match(schema->pattern, check->scratch, text)) {
    case MATCH_YES:
        return;
    case MATCH_NO:
        check_report(check, place, "The value must match the pattern %s", pattern_source(schema->pattern));
        return;
    case MATCH_LIMIT:
        check_report(check, place, "The value takes too long to compare with the pattern %s",
                     pattern_source(schema->pattern));
        return;
    }
}

/* Below 0, 0 or above 0, as with strcmp. */
static int compare_numbers(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b)) {
        json_int_t left = json_integer_value(a), right = json_integer_value(b);
        return (left > right) - (left < right);
    }
    double left = json_number_value(a), right = json_number_value(b);
    return (left > right) - (left < right);
}

static bool is_multiple(const json_t *value, const json_t *of)
{
    if (json_is_integer(value) && json_is_integer(of))
        return json_integer_value(value) % json_integer_value(of) == 0;

    double quotient = json_number_value(value) / json_number_value(of);
    if (!(quotient > -1e15 && quotient < 1e15))
        return false; /* a double is too coarse to tell */
    double difference = quotient - (double)(int64_t)(quotient < 0 ? quotient - 0.5 : quotient + 0.5);
    return difference < 1e-9 && difference > -1e-9;
}

static const char *number_text(struct check *check, const json_t *number)
{
    const char *text = json_is_integer(number)
                           ? arena_format(check->arena, "%lld", (long long)json_integer_value(number))
                           : arena_format(check->arena, "%.15g", json_number_value(number));

    return text ? text : "";
}

static void check_number(struct check *check, const struct schema *schema, const json_t *value,
                         const struct place *place)
{
    if (schema->minimum != NULL && compare_numbers(value, schema->minimum) < 0)
        check_report(check, place, "The value must be at least %s.", number_text(check, schema->minimum));
    if (schema->maximum != NULL && compare_numbers(value, schema->maximum) > 0)
        check_report(check, place, "The value must be at most %s.", number_text(check, schema->maximum));
    if (schema->multiple != NULL && !is_multiple(value, schema->multiple))
        check_report(check, place, "The value must be a multiple of %s.",
                     number_text(check, schema->multiple));
    if (schema->format == FORMAT_INT32 &&
        (json_integer_value(value) < INT32_MIN || json_integer_value(value) > INT32_MAX))
        check_report(check, place, "The value must fit into 32 bits.");
}

static void check_array(struct check *check, const struct schema *schema, json_t *value,
                        const struct place *place)
{
    size_t count = json_array_size(value);

    if (count < schema->min_items)
        check_report(check, place, "The number of elements must be at least %zu.", schema->min_items);
    if (count > schema->max_items)
        check_report(check, place, "The number of elements must be at most %zu.", schema->max_items);
    for (size_t i = 0; schema->items != NULL && i < count && !check_is_full(check); i++)
        check_value(check, schema->items, json_array_get(value, i), &(struct place){place, NULL, i});
}

const struct schema *schema_member(const struct schema *schema, const char *name)
{
    for (size_t i = 0; i < schema->property_count; i++)
        if (strcmp(schema->properties[i].name, name) == 0)
            return schema->properties[i].schema;
    return schema->additional == ADDITIONAL_SCHEMA ? schema->additional_schema : NULL;
}

static void report_unknown(struct check *check, const struct schema *schema, const char *name,
                           const struct place *place)
{
    const char **names = arena_take(check->arena, (schema->property_count + 1) * sizeof *names);
    const char *nearest = NULL;

    if (names != NULL) {
        for (size_t i = 0; i < schema->property_count; i++)
            names[i] = schema->properties[i].name;
        names[schema->property_count] = NULL;
        nearest = nearest_name(name, names);
    }
    check_report_unknown(check, place, nearest);
}

static void check_object(struct check *check, const struct schema *schema, json_t *value,
                         const struct place *place)
{
    const char *name;
    json_t *member;

    json_object_foreach (value, name, member) {
        const struct schema *known = schema_member(schema, name);
        const struct place here = {place, name, 0};
        if (check_is_full(check))
            return;
        if (known != NULL)
            check_value(check, known, member, &here);
        else if (schema->additional == ADDITIONAL_NONE)
            report_unknown(check, schema, name, &here);
    }
    for (size_t i = 0; i < schema->required_count; i++)
        if (json_object_get(value, schema->required[i]) == NULL)
            check_report(check, place, "The member \"%s\" is missing.", schema->required[i]);
}

void check_value(struct check *check, const struct schema *schema, json_t *value, const struct place *place)
{
    enum kind kind = kind_of(value);

    if (check->steps == 0) {
        check_report(check, NULL, "The value takes too long to check.");
        return;
    }
    check->steps--;
    if (kind == KIND_NULL && schema->nullable)
        return;
    if ((schema->kinds & kind) == 0) {
        check_report_kind(check, schema->kinds, place);
        return;
    }
    if (schema->enumeration != NULL)
        check_enumeration(check, schema->enumeration, value, place);
    if (kind == KIND_STRING)
        check_string(check, schema, (struct span){json_string_value(value), json_string_length(value)},
                     place);
    else if (kind == KIND_INTEGER || kind == KIND_NUMBER)
        check_number(check, schema, value, place);
    else if (kind == KIND_ARRAY)
        check_array(check, schema, value, place);
    else if (kind == KIND_OBJECT)
        check_object(check, schema, value, place);
    for (size_t i = 0; i < schema->all_of.count; i++)
        check_value(check, schema->all_of.list[i], value, place);
    check_alternatives(check, schema, value, place);
}

bool schema_validate(const struct schema *schema, json_t *value, struct pattern_scratch *scratch,
                     struct arena *arena, struct findings *findings)
{
    size_t before = findings->count;
    struct check check = {schema, scratch, arena, findings, STEPS, false};

    check_value(&check, schema, value, NULL);
    return findings->count == before && !check.failed;
}

/* A parameter's text as the value that it spells; NULL when it spells none of a kind that the schema allows.
 */
static json_t *spelled_value(const struct schema *schema, struct span text)
{
    struct json_fault fault;

    if ((schema->kinds & KIND_STRING) != 0)
        return json_stringn(text.data, text.length);
    if (text.length == 0 || text.data[0] <= ' ' || text.data[text.length - 1] <= ' ')
        return NULL; /* JSON would allow space around a number */
    json_t *value = json_read_strict(text, 0, &fault);
    if (value != NULL && (schema->kinds & kind_of(value)) == 0) {
        json_decref(value);
        return NULL;
    }
    return value;
}

/* Does the schema describe a text, by its length, format and pattern alone? */
static bool is_of_text(const struct schema *schema)
{
    return schema->kinds == KIND_STRING && schema->enumeration == NULL &&
           schema->all_of.count + schema->any_of.count + schema->one_of.count == 0;
}

bool schema_takes_uuids(const struct schema *schema)
{
    const size_t length = UUID_TEXT_SIZE - 1;

    return is_of_text(schema) && schema->format == FORMAT_UUID && schema->pattern == NULL &&
           schema->min_length <= length && schema->max_length >= length;
}

bool schema_takes_texts(const struct schema *schema, size_t length)
{
    return is_of_text(schema) && schema->format == FORMAT_NONE && schema->pattern == NULL &&
           schema->min_length <= 1 && schema->max_length >= length;
}

const char *schema_validate_text(const struct schema *schema, struct span text,
                                 struct pattern_scratch *scratch, struct arena *arena)
{
    struct findings findings = {0};
    struct check check = {schema, scratch, arena, &findings, STEPS, false};

    if (text.data == NULL)
        text = span_of("");
    if (!utf8_is_valid(text))
        return "The value must be UTF-8.";
    if (is_of_text(schema)) {
        check_string(&check, schema, text, NULL); /* nearly every parameter: no allocation */
    } else {
        json_t *value = spelled_value(schema, text);
        if (value == NULL)
            check_report_kind(&check, schema->kinds, NULL);
        else
            check_value(&check, schema, value, NULL);
        json_decref(value);
    }
    if (findings.first != NULL)
        return findings.first->detail;
    return check.failed ? no_memory : NULL;
}
