/* The members `rate_limit` of a policy: what they mean, and what is said about a wrong one. ' stands for ".
 */
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

static void run_row(const struct row *row)
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
        check_limit(row, policy);
    policy_free(policy);
    document_free(&document);
    problems_free(&problems);
    free(text);
}

static void every_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        run_row(&rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_row)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
