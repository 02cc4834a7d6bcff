/* The member api_versions of a policy file. */
#include "policies/ascii.h"
#include "policies/fields.h"
#include "policies/policy_compiler.h"

/* As the API documents it. */
#define DOCUMENTED_PATTERN                                                                                   \
    "^(wip|work-in-progress|experimental|beta|((([0-9]{4})-([0-1][0-9]))-((3[01])|(0[1-9])|([12][0-9]))"     \
    "(~(wip|work-in-progress|experimental|beta))?))$"

static const struct span default_headers[] = {
    SPAN_INIT("Snyk-Version"), SPAN_INIT("X-Snyk-Version"), {NULL, 0}};

static void pattern_compile_member(struct compiler *compiler, const struct place *above, json_t *value)
{
    const struct place place = {.above = above, .member = "pattern"};
    struct span source = span_of(DOCUMENTED_PATTERN);
    char error[256];

    if (value_is(compiler, &place, value, JSON_STRING))
        source = string_span(value);
    compiler->policy->pattern = pattern_compile(source, error, sizeof error);
    if (compiler->policy->pattern == NULL)
        note_error(compiler, &place, "the pattern does not compile: %s", error);
    compiler->policy->versions.pattern = compiler->policy->pattern;
}

/* A bound: the date as yyyymmdd; 0 for null, a missing and a wrong one. */
static uint32_t bound_compile(struct compiler *compiler, const struct place *above, json_t *object,
                              const char *name)
{
    const struct place place = {.above = above, .member = name};
    json_t *value = json_object_get(object, name);

    if (value == NULL || json_is_null(value))
        return 0;
    if (!json_is_string(value)) {
        note_error(compiler, &place, "must be a date (\"YYYY-MM-DD\") or null");
        return 0;
    }
    uint32_t date = version_date_parse(string_span(value));
    if (date == 0)
        note_error(compiler, &place, "is not a date of the calendar (\"YYYY-MM-DD\")");
    return date;
}

static void stability_compile(struct compiler *compiler, const struct place *above, json_t *value)
{
    static const char *const known[] = {"wip", "experimental", "beta", "ga", NULL};
    const struct place place = {.above = above, .member = "stability"};
    struct version_rules *rules = &compiler->policy->versions;
    char room[96];

    if (!value_is(compiler, &place, value, JSON_ARRAY)) {
        rules->allowed[STABILITY_GA] = rules->allowed[STABILITY_BETA] = true;
        return;
    }
    if (json_array_size(value) == 0)
        note_error(compiler, &place, "allows no version at all: name one stability at least");
    for (size_t i = 0; i < json_array_size(value); i++) {
        const struct place here = {.above = &place, .element = i};
        json_t *word = json_array_get(value, i);
        enum stability stability;

        if (!value_is(compiler, &here, word, JSON_STRING))
            continue;
        if (stability_named(string_span(word), &stability))
            rules->allowed[stability] = true;
        else
            note_error(compiler, &here, "unknown stability \"%s\"%s", json_string_value(word),
                       suggestion(json_string_value(word), known, room, sizeof room));
    }
}

static bool is_token(struct span name)
{
    for (size_t i = 0; i < name.length; i++)
        if (!ascii_is_token(name.data[i]))
            return false;
    return name.length > 0;
}

/* May a version stand in the field? Not in one that has another meaning to the gate. */
static bool header_is_free(struct span name)
{
    for (size_t i = 0; default_headers[i].data != NULL; i++)
        if (span_equal_nocase(name, default_headers[i]))
            return true;
    return field_use(name) == FIELD_FORWARD && !field_is_single(name);
}

static void note_lengths(struct version_rules *rules)
{
    rules->header_lengths = 0;
    for (const struct span *at = rules->headers; at->data != NULL; at++)
        rules->header_lengths |= UINT64_C(1) << (at->length < 63 ? at->length : 63);
}

static void headers_compile(struct compiler *compiler, const struct place *above, json_t *value)
{
    const struct place place = {.above = above, .member = "headers"};
    struct version_rules *rules = &compiler->policy->versions;

    rules->headers = default_headers;
    if (!value_is(compiler, &place, value, JSON_ARRAY))
        return;

    size_t count = json_array_size(value), kept = 0;
    struct span *headers = arena_take(&compiler->policy->texts, (count + 1) * sizeof *headers);
    if (headers == NULL) {
        note_memory(compiler);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct place here = {.above = &place, .element = i};
        json_t *name = json_array_get(value, i);

        if (!value_is(compiler, &here, name, JSON_STRING))
            continue;
        if (!is_token(string_span(name)))
            note_error(compiler, &here, "is not the name of a header field");
        else if (!header_is_free(string_span(name)))
            note_error(compiler, &here, "the gate has another use for the header field \"%s\"",
                       json_string_value(name));
        else
            headers[kept++] = span_of(policy_copy(compiler, string_span(name)));
    }
    headers[kept] = span_of(NULL);
    rules->headers = headers;
}

void versions_compile(struct compiler *compiler, const struct place *root, json_t *value)
{
    static const char *const known[] = {"pattern",  "oldest",  "newest",      "stability",
                                        "calendar", "headers", "description", NULL};
    const struct place place = {.above = root, .member = "api_versions"};
    struct version_rules *rules = &compiler->policy->versions;

    if (value_is(compiler, &place, value, JSON_OBJECT))
        members_check(compiler, &place, value, known);
    else
        value = NULL; /* the defaults then */
    pattern_compile_member(compiler, &place, json_object_get(value, "pattern"));
    rules->oldest = bound_compile(compiler, &place, value, "oldest");
    rules->newest = bound_compile(compiler, &place, value, "newest");
    if (rules->oldest != 0 && rules->newest != 0 && rules->oldest > rules->newest) {
        const struct place newest = {.above = &place, .member = "newest"};
        note_error(compiler, &newest, "is before \"oldest\": no version can pass");
    }
    stability_compile(compiler, &place, json_object_get(value, "stability"));
    headers_compile(compiler, &place, json_object_get(value, "headers"));
    note_lengths(rules);

    json_t *calendar = json_object_get(value, "calendar");
    rules->calendar = calendar == NULL || !json_is_false(calendar);
    if (calendar != NULL && !json_is_boolean(calendar)) {
        const struct place here = {.above = &place, .member = "calendar"};
        note_error(compiler, &here, "must be true or false");
    }
}
