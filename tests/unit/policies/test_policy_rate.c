/* The members `rate_limit` and `break_glass` of a policy: what they mean, and what is said about a wrong one.
 * ' stands for ". */
#include "policies/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct row {
    const char *policy;
    const char *problem; /* of the first error; NULL for none */
    struct rate_limit limit;
    const char *rule;
} rows[] = {
    {"{'principals': {'a/b': {}}}", NULL, {0, 0}, "/rate_limit"},
    {"{'principals': {'a/b': {'rate_limit': null}}}", NULL, {0, 0}, "/principals/a~1b/rate_limit"},
    {"{'principals': {'a/b': {}}, 'rate_limit': {'requests': 5, 'seconds': 60}}",
     NULL,
     {5, 60},
     "/rate_limit"},
    {"{'principals': {'a/b': {'rate_limit': {'requests': 1000000, 'seconds': 86400, 'description': 'x'}}}, "
     "'rate_limit': {'requests': 5, 'seconds': 60}}",
     NULL,
     {1000000, 86400},
     "/principals/a~1b/rate_limit"},
    {"{'principals': {'a/b': {'rate_limit': null}}, 'rate_limit': {'requests': 5, 'seconds': 60}}",
     NULL,
     {0, 0},
     "/principals/a~1b/rate_limit"},

    {"{'rate_limit': 5}", "must be an object", {0, 0}, NULL},
    {"{'rate_limit': {'requests': 5}}", "lacks \"seconds\"", {0, 0}, NULL},
    {"{'rate_limit': {'seconds': 5}}", "lacks \"requests\"", {0, 0}, NULL},
    {"{'rate_limit': {'requests': 0, 'seconds': 5}}",
     "must be a whole number from 1 to 1000000",
     {0, 0},
     NULL},
    {"{'rate_limit': {'requests': 1.5, 'seconds': 5}}", "must be a whole number", {0, 0}, NULL},
    {"{'rate_limit': {'requests': 1, 'seconds': 86401}}",
     "must be a whole number from 1 to 86400",
     {0, 0},
     NULL},
    {"{'rate_limit': {'requests': 1, 'seconds': 1, 'burst': 3}}", "unknown member \"burst\"", {0, 0}, NULL},
    {"{'principals': {'a': {'rate_limit': {'requests': 1000001, 'seconds': 1}}}}",
     "must be a whole number from 1 to 1000000",
     {0, 0},
     NULL},
};

static const struct row breaks[] = {
    {"{'principals': {'a': {}}}", NULL, {0, 0}, NULL},
    {"{'principals': {'a': {'break_glass': {'requests': 3, 'seconds': 3600, 'description': 'x'}}}}",
     NULL,
     {3, 3600},
     NULL},
    {"{'principals': {'a': {'break_glass': {'requests': 10000, 'seconds': 2678400}}}}",
     NULL,
     {10000, 2678400},
     NULL},
    {"{'principals': {'a': {'break_glass': null}}}", "must be an object", {0, 0}, NULL},
    {"{'principals': {'a': {'break_glass': true}}}", "must be an object", {0, 0}, NULL},
    {"{'principals': {'a': {'break_glass': {}}}}", "lacks \"requests\"", {0, 0}, NULL},
    {"{'principals': {'a': {'break_glass': {'requests': 3}}}}", "lacks \"seconds\"", {0, 0}, NULL},
    {"{'principals': {'a': {'break_glass': {'requests': 10001, 'seconds': 1}}}}",
     "must be a whole number from 1 to 10000",
     {0, 0},
     NULL},
    {"{'principals': {'a': {'break_glass': {'requests': 1, 'seconds': 2678401}}}}",
     "must be a whole number from 1 to 2678400",
     {0, 0},
     NULL},
    {"{'break_glass': {'requests': 1, 'seconds': 1}}", "unknown member \"break_glass\"", {0, 0}, NULL},
};

static const struct problem *first_error(const struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        if (problems->items[i].severity == SEVERITY_ERROR)
            return &problems->items[i];
    return NULL;
}

static void check_limit(const struct row *row, const struct policy *policy)
{
    const struct principal *principal = policy_principal_at(policy, 0);
    struct arena arena;

    arena_init(&arena);
    assert_int_equal(principal->rate_limit.requests, row->limit.requests);
    assert_int_equal(principal->rate_limit.seconds, row->limit.seconds);
    assert_int_equal(policy_limits_rates(policy), row->limit.requests > 0);
    assert_string_equal(policy_rate_rule(principal, &arena), row->rule);
    arena_reset(&arena);
}

static void check_break(const struct row *row, const struct policy *policy)
{
    const struct principal *principal = policy_principal_at(policy, 0);

    assert_int_equal(principal->break_glass.requests, row->limit.requests);
    assert_int_equal(principal->break_glass.seconds, row->limit.seconds);
    assert_false(policy_limits_rates(policy));
}

static void run_row(const struct row *row, void (*check)(const struct row *row, const struct policy *policy))
{
    char *text = strdup(row->policy);
    struct problems problems = {0};
    struct document document = {0};

    assert_non_null(text);
    for (char *c = text; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    assert_true(document_read(&document, "p", span_of(text), &problems));
    struct policy *policy = policy_compile(&document, &problems);
    const struct problem *error = first_error(&problems);

    if ((error == NULL) != (row->problem == NULL) ||
        (error != NULL && strstr(error->message, row->problem) == NULL))
        fail_msg("%s: %s", row->policy, error ? error->message : "no error");
    assert_int_equal(policy != NULL, row->problem == NULL);
    if (policy != NULL)
        check(row, policy);
    policy_free(policy);
    document_free(&document);
    problems_free(&problems);
    free(text);
}

static void every_limit(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        run_row(&rows[i], check_limit);
}

static void every_break(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof breaks / sizeof *breaks; i++)
        run_row(&breaks[i], check_break);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_limit), cmocka_unit_test(every_break)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
