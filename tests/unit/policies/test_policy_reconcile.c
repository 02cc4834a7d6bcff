/* The member `reconcile` of a policy: what it means, and what is said about a wrong one. ' stands for ". */
#include "policies/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define NONE CREDENTIAL_OWN
#define FINE ""

static const struct row {
    const char *policy;
    const char *lines; /* as problems_write writes them */
    struct reconcile_settings settings;
} rows[] = {
    {"{}", FINE, {NONE, false, 30, 30, 1800}},
    {"{'reconcile': {}}", FINE, {NONE, false, 30, 30, 1800}},
    {"{'reconcile': {'upstream_token': null, 'description': 'x'}}", FINE, {NONE, true, 30, 30, 1800}},
    {"{'reconcile': {'upstream_token': {'env': 'A'}}}", FINE, {0, false, 30, 30, 1800}},
    {"{'reconcile': {'upstream_token': {'file': 'b'}, 'settle_seconds': 1, 'retry_seconds': 3600, "
     "'deadline_seconds': 86400}}",
     FINE,
     {0, false, 1, 3600, 86400}},
    {"{'reconcile': {'upstream_token': {'env': 'A'}}, 'organizations': {'*': {'upstream_token': {'env': "
     "'B'}}}}",
     FINE,
     {1, false, 30, 30, 1800}}, /* the others keep their places */

    {"{'reconcile': null}", "p:1:2: error: must be an object (/reconcile)\n", {0}},
    {"{'reconcile': {'token': 'x'}}", "p:1:16: error: unknown member \"token\" (/reconcile/token)\n", {0}},
    {"{'reconcile': {'settle': 1}}", "p:1:16: error: unknown member \"settle\" (/reconcile/settle)\n", {0}},
    {"{'reconcile': {'upstream_token': 's3cret'}}",
     "p:1:16: error: must be an object (/reconcile/upstream_token)\n",
     {0}},
    {"{'reconcile': {'upstream_token': {}}}",
     "p:1:16: error: needs one of {\"env\": NAME} and {\"file\": PATH}, and not both "
     "(/reconcile/upstream_token)\n",
     {0}},
    {"{'reconcile': {'settle_seconds': 0, 'retry_seconds': '1', 'deadline_seconds': 86401}}",
     "p:1:16: error: must be a whole number from 1 to 3600 (/reconcile/settle_seconds)\n"
     "p:1:37: error: must be a whole number from 1 to 3600 (/reconcile/retry_seconds)\n"
     "p:1:59: error: must be a whole number from 1 to 86400 (/reconcile/deadline_seconds)\n",
     {0}},
    {"{'reconcile': {'settle_seconds': 1.5, 'retry_seconds': -1, 'deadline_seconds': 4294967297}}",
     "p:1:16: error: must be a whole number from 1 to 3600 (/reconcile/settle_seconds)\n"
     "p:1:39: error: must be a whole number from 1 to 3600 (/reconcile/retry_seconds)\n"
     "p:1:60: error: must be a whole number from 1 to 86400 (/reconcile/deadline_seconds)\n",
     {0}},
};

static bool run_row(const struct row *row)
{
    char *text = strdup(row->policy);
    struct problems problems = {0};
    struct document document = {0};
    struct text lines = {0};

    assert_non_null(text);
    for (char *c = text; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    assert_true(document_read(&document, "p", span_of(text), &problems));
    struct policy *policy = policy_compile(&document, &problems);
    problems_write(&problems, &lines);
    text_add(&lines, "", 0);

    bool right = strcmp(lines.data, row->lines) == 0 && (policy != NULL) == (row->lines[0] == '\0');
    if (!right)
        print_error("%s:\n%s", row->policy, lines.data);
    if (policy != NULL) {
        const struct reconcile_settings *settings = policy_reconcile(policy);
        assert_int_equal(settings->credential, row->settings.credential);
        assert_int_equal(settings->declined, row->settings.declined);
        assert_int_equal(settings->settle_s, row->settings.settle_s);
        assert_int_equal(settings->retry_s, row->settings.retry_s);
        assert_int_equal(settings->deadline_s, row->settings.deadline_s);
    }
    policy_free(policy);
    document_free(&document);
    problems_free(&problems);
    text_free(&lines);
    free(text);
    return right;
}

static void means_what_it_says(void **state)
{
    unsigned failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        failed += !run_row(&rows[i]);
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(means_what_it_says)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
