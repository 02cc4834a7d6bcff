/* The tests that conditions of a policy's rules make. */
#include "policies/rules_compiler.h"
#include "policies/version.h"

#define VALUES_MOST   1000
#define NETWORKS_MOST 1000

typedef void compile_test(struct compiler *compiler, const struct place *place, json_t *value,
                          struct condition *condition);

/* A value to be equal to. What the subject can never be is an error: such a condition would never hold. */
static struct scalar scalar_compile(struct compiler *compiler, const struct place *place, json_t *value,
                                    enum subject subject)
{
    static const char *const stabilities[] = {"wip", "experimental", "beta", "ga", NULL};
    char room[64];

    switch (json_typeof(value)) {
    case JSON_NULL:
        return (struct scalar){.kind = SCALAR_NULL};
    case JSON_TRUE:
    case JSON_FALSE:
        return (struct scalar){.kind = SCALAR_BOOLEAN, .truth = json_is_true(value)};
    case JSON_INTEGER:
        return (struct scalar){.kind = SCALAR_INTEGER, .integer = json_integer_value(value)};
    case JSON_REAL:
        return (struct scalar){.kind = SCALAR_REAL, .real = json_real_value(value)};
    case JSON_STRING:
        break;
    case JSON_OBJECT:
    case JSON_ARRAY:
    default:
        note_error(compiler, place, "must be a string, a number, true, false or null");
        return (struct scalar){.kind = SCALAR_NULL};
    }
    struct span text = string_span(value);
    size_t known = 0;
    while (stabilities[known] != NULL && !span_is(text, stabilities[known]))
        known++;
    if (subject == SUBJECT_STABILITY && stabilities[known] == NULL)
        note_error(compiler, place, "is no stability: \"wip\", \"experimental\", \"beta\" or \"ga\"%s",
                   suggestion(text.data, stabilities, room, sizeof room));
    const char *copy = policy_copy(compiler, text);
    return (struct scalar){.kind = SCALAR_STRING, .string = {copy, copy ? text.length : 0}};
}

static void equals_compile(struct compiler *compiler, const struct place *place, json_t *value,
                           struct condition *condition)
{
    struct scalar *scalar = policy_take(compiler, 1, sizeof *scalar);

    if (scalar == NULL)
        return;
    *scalar = scalar_compile(compiler, place, value, condition->subject);
    condition->values = scalar;
    condition->count = 1;
}

static void in_compile(struct compiler *compiler, const struct place *place, json_t *list,
                       struct condition *condition)
{
    size_t count = json_array_size(list);
    struct scalar *scalars;

    if (!list_is(compiler, place, list, VALUES_MOST) ||
        (scalars = policy_take(compiler, count, sizeof *scalars)) == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        const struct place here = {.above = place, .element = i};
        scalars[i] = scalar_compile(compiler, &here, json_array_get(list, i), condition->subject);
    }
    condition->values = scalars;
    condition->count = (uint32_t)count;
}

static void matches_compile(struct compiler *compiler, const struct place *place, json_t *value,
                            struct condition *condition)
{
    char error[256];

    if (!value_is(compiler, place, value, JSON_STRING))
        return;
    condition->pattern = pattern_compile(string_span(value), error, sizeof error);
    if (condition->pattern == NULL)
        note_error(compiler, place, "the pattern does not compile: %s", error);
}

static void exists_compile(struct compiler *compiler, const struct place *place, json_t *value,
                           struct condition *condition)
{
    if (!json_is_boolean(value))
        note_error(compiler, place, "must be true or false");
    condition->exists = json_is_true(value);
}

static void above_compile(struct compiler *compiler, const struct place *place, json_t *value,
                          struct condition *condition)
{
    if (!json_is_integer(value))
        note_error(compiler, place, "must be a whole number");
    condition->above = json_integer_value(value);
}

static void within_compile(struct compiler *compiler, const struct place *place, json_t *list,
                           struct condition *condition)
{
    size_t count = json_array_size(list);
    struct network *networks;

    if (!list_is(compiler, place, list, NETWORKS_MOST) ||
        (networks = policy_take(compiler, count, sizeof *networks)) == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        const struct place here = {.above = place, .element = i};
        json_t *text = json_array_get(list, i);
        if (!value_is(compiler, &here, text, JSON_STRING))
            continue;
        const char *fault = network_parse(json_string_value(text), &networks[i]);
        if (fault != NULL)
            note_error(compiler, &here, "%s", fault);
    }
    condition->networks = networks;
    condition->count = (uint32_t)count;
}

/* "within" is for addresses alone and "during" for moments alone, which have no other test. */
static const struct {
    const char *member;
    enum test test;
    enum subject only; /* SUBJECTS: for whatever has no test of its own */
    compile_test *compile;
} tests[] = {
    {"equals", TEST_IN, SUBJECTS, equals_compile},
    {"in", TEST_IN, SUBJECTS, in_compile},
    {"matches", TEST_MATCHES, SUBJECTS, matches_compile},
    {"exists", TEST_EXISTS, SUBJECTS, exists_compile},
    {"above", TEST_ABOVE, SUBJECTS, above_compile},
    {"within", TEST_WITHIN, SUBJECT_CLIENT, within_compile},
    {"during", TEST_DURING, SUBJECT_TIME, windows_compile},
};

#define TESTS (sizeof tests / sizeof *tests)

/* Does the test fit what is looked at? */
static bool test_fits(size_t test, enum subject subject)
{
    enum subject alone = subject == SUBJECT_CLIENT || subject == SUBJECT_TIME ? subject : SUBJECTS;

    return tests[test].only == alone;
}

static void note_misfit(struct compiler *compiler, const struct place *place, size_t test,
                        enum subject subject)
{
    size_t fit = 0;

    while (fit < TESTS && tests[fit].only != subject)
        fit++;
    if (fit < TESTS)
        note_error(compiler, place, "is no test for this: use \"%s\"", tests[fit].member);
    else
        note_error(compiler, place, "is a test for \"%s\" alone",
                   tests[test].only == SUBJECT_TIME ? "/time" : "/client");
}

void test_compile(struct compiler *compiler, const struct place *place, json_t *object,
                  struct condition *condition)
{
    size_t found = TESTS, count = 0;

    for (size_t i = 0; i < TESTS; i++) {
        if (json_object_get(object, tests[i].member) == NULL)
            continue;
        found = i;
        count++;
    }
    if (count != 1) {
        note_error(compiler, place,
                   "needs one test, and not more: equals, in, matches, exists, above, within "
                   "or during");
        return;
    }
    const struct place here = {.above = place, .member = tests[found].member};
    condition->test = tests[found].test;
    if (test_fits(found, condition->subject))
        tests[found].compile(compiler, &here, json_object_get(object, tests[found].member), condition);
    else
        note_misfit(compiler, &here, found, condition->subject);
}
