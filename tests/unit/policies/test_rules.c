/* What `check` says of rules: each case is a list of rules, and all lines that must be said of it, whether
 * the rules are wrong by themselves or do not fit the contract. */
#include "policies/policy.h"
#include "tests/unit/policies/fixture.h"

#define RULE(more)        "{'id': 'a', 'reason': 'b', " more "}"
#define WHEN(more)        RULE("'deny': true, 'when': [" more "]")
#define DELETE_WHEN(more) RULE("'deny': true, 'operations': ['deleteIntegration'], 'when': [" more "]")
#define AT                "'at': '/version', "
#define DURING(more)      WHEN("{'at': '/time', 'during': [" more "]}")

static const struct {
    const char *rules, *lines;
} cases[] = {
#include "tests/unit/policies/rules_cases.h"
};

static void say(const char *rules, struct text *said)
{
    struct text text = {0}, source = fixture_file("conf/integrations.openapi.json");
    struct document contract_document, document;
    struct problems problems = {0};

    text_add_format(&text,
                    "{'principals': {'ann': {'tokens': ['sha256:%064d']}}, 'organizations': {'*': "
                    "{'grants': [{'principal': 'ann', 'permissions': ['org.integration.read']}]}},\n"
                    "'rules': [%s]}",
                    0, rules);
    document = fixture_document(text.data);
    assert_true(document_read(&contract_document, "c", (struct span){source.data, source.length}, &problems));
    struct contract *contract = contract_compile(&contract_document, &problems);
    struct policy *policy = policy_compile(&document, &problems);
    bool linked = policy != NULL && policy_link(policy, contract, &document, &problems);
    assert_true(linked == (problems.errors == 0));
    problems_write(&problems, said);
    text_add(said, "", 0);
    problems_free(&problems);
    policy_free(policy);
    contract_free(contract);
    document_free(&contract_document);
    document_free(&document);
    text_free(&text);
    text_free(&source);
}

static void what_is_said(void **state)
{
    unsigned failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text said = {0};
        say(cases[i].rules, &said);
        if (strcmp(said.data, cases[i].lines) != 0) {
            (void)fprintf(stderr, "@@%zu@@%s@@%s@@\n", i, cases[i].rules, said.data);
            failed++;
        }
        text_free(&said);
    }
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_said)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
