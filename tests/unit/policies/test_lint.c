/* What is warned of, when, and how much of it. ' stands for ". */
#include "policies/lint.h"
#include "tests/unit/policies/fixture.h"

#define NOON INT64_C(1782907200) /* 2026-07-01T12:00:00Z */
#define ORG  "11111111-1111-4111-8111-111111111111"

#define WITH(rules)                                                                                          \
    "{'principals': {'maker': {}}, 'organizations': {'" ORG                                                  \
    "': {'grants': [{'principal': 'maker', 'permissions': ['org.integration.delete']}]}}, 'rules': [" rules  \
    "]}"
#define RULE(id, rest) "{'id': '" id "', 'reason': 'because', " rest "}"
#define TIME(windows)  "[{'at': '/time', 'during': [" windows "]}]"

static void lint(const char *text, int64_t now, struct problems *found)
{
    struct document document = fixture_document(text);
    struct text file = fixture_file("conf/integrations.openapi.json");
    struct document api = {0};
    struct problems problems = {0};

    assert_true(document_read(&api, "api", (struct span){file.data, file.length}, &problems));
    struct contract *contract = contract_compile(&api, &problems);
    struct policy *policy = policy_compile(&document, &problems);
    if (policy == NULL || contract == NULL || !policy_link(policy, contract, &document, &problems))
        fail_msg("%s: %s", text, problems.items[0].message);
    policy_lint(policy, contract, &document, now, found);
    policy_free(policy);
    contract_free(contract);
    document_free(&document);
    document_free(&api);
    problems_free(&problems);
    text_free(&file);
}

static void windows_are_over_at_the_moment(void **state)
{
    static const char until_noon[] =
        WITH(RULE("a", "'deny': true, 'when': " TIME("{'before': '2026-07-01T12:00:00Z'}")));
    struct problems found = {0};

    (void)state;
    lint(until_noon, NOON - 1, &found);
    assert_int_equal(found.count, 0);
    lint(until_noon, NOON, &found);
    assert_int_equal(found.count, 1);
    assert_string_equal(found.items[0].code, "time-is-over");
    assert_string_equal(found.items[0].pointer, "/rules/0/when/0/during");
    assert_int_equal(found.items[0].severity, SEVERITY_WARNING);
    problems_free(&found);
}

static void only_so_many_are_shown(void **state)
{
    struct text text = {0};
    struct problems found = {0};

    (void)state;
    for (unsigned i = 0; i < LINT_SHOWN + 3; i++)
        text_add_format(&text, "%s{'id': 'r%u', 'reason': 'y', 'require': {'reason': '^(a+)+$'}}",
                        i > 0 ? "," : "", i);
    char *policy = NULL;
    assert_true(asprintf(&policy, WITH("%s"), text.data) > 0);
    lint(policy, NOON, &found);
    assert_int_equal(found.count, LINT_SHOWN + 1);
    for (size_t i = 0; i < found.count; i++)
        assert_string_equal(found.items[i].code, "pattern-blows-up");
    assert_string_equal(found.items[LINT_SHOWN].message, "3 more of these are not shown");
    assert_non_null(strstr(found.items[0].message, "(a+)+"));
    free(policy);
    text_free(&text);
    problems_free(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_over_at_the_moment),
        cmocka_unit_test(only_so_many_are_shown),
    };

    return cmocka_run_group_tests_name("lint", tests, NULL, NULL);
}
