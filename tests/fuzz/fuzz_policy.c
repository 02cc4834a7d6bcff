/* The policy file. It is compiled and linked to the sample contract, or there is an error that says why;
 * whatever it allows or denies has a grant that says so, and nothing is both; its rules have what the
 * judgement takes for granted. */
#include "policies/contract.h"
#include "policies/policy.h"
#include "tests/fuzz/fuzz.h"

static void check_permissions(const struct policy *policy, const struct principal *principal,
                              uint32_t organization)
{
    struct access access = policy_access(policy, principal, organization, 0);
    struct arena arena;

    FUZZ_CHECK((access.allowed & access.denied) == 0);
    FUZZ_CHECK(access.granted || (access.allowed == 0 && access.denied == 0));
    arena_init(&arena);
    for (unsigned bit = 0; bit < 8 * sizeof(permission_set); bit++) {
        permission_set one = (permission_set)1 << bit;
        if (access.allowed & one)
            FUZZ_CHECK(policy_grant_pointer(policy, principal, organization, one, false, 0, &arena)[0] ==
                       '/');
        if (access.denied & one)
            FUZZ_CHECK(policy_grant_pointer(policy, principal, organization, one, true, 0, &arena)[0] == '/');
    }
    arena_reset(&arena);
}

static struct contract *contract;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct text text = fuzz_file("conf/integrations.openapi.json");
    struct problems problems = {0};
    struct document document;

    (void)argc, (void)argv;
    FUZZ_CHECK(document_read(&document, "contract", fuzz_of(&text), &problems));
    contract = contract_compile(&document, &problems);
    FUZZ_CHECK(contract != NULL);
    document_free(&document);
    text_free(&text);
    problems_free(&problems);
    return 0;
}

static void check_conditions(const struct conditions *conditions)
{
    for (uint32_t i = 0; i < conditions->count; i++) {
        const struct condition *condition = &conditions->items[i];
        FUZZ_CHECK(condition->at != NULL && condition->below != NULL);
        FUZZ_CHECK(condition->test != TEST_MATCHES || condition->pattern != NULL);
        FUZZ_CHECK(condition->count > 0 || (condition->test != TEST_IN && condition->test != TEST_WITHIN &&
                                            condition->test != TEST_DURING));
        FUZZ_CHECK((condition->subject == SUBJECT_CLIENT) == (condition->test == TEST_WITHIN));
        FUZZ_CHECK((condition->subject == SUBJECT_TIME) == (condition->test == TEST_DURING));
    }
}

static void check_rules(const struct policy *policy)
{
    size_t count;
    const struct operation *operations = contract_operations(contract, &count);

    for (size_t i = 0; i < policy_rule_count(policy); i++) {
        const struct rule *rule = policy_rule_at(policy, i);
        bool about = false;
        FUZZ_CHECK(rule->index == i && rule->id != NULL && rule->reason != NULL && rule->pointer != NULL);
        FUZZ_CHECK(rule->effect != RULE_REASON || rule->form != NULL);
        FUZZ_CHECK(rule->effect != RULE_BUDGET || (rule->budget.requests > 0 && rule->budget.seconds > 0));
        FUZZ_CHECK(rule->effect != RULE_APPROVAL ||
                   (rule->approval.people > 0 && rule->approval.seconds > 0));
        for (uint32_t j = 0; j < rule->principal_count; j++)
            FUZZ_CHECK(rule->principals[j] < policy_principal_count(policy));
        for (size_t j = 0; j < count; j++)
            about |= rule_is_about(rule, &operations[j], NULL);
        FUZZ_CHECK(about);
        check_conditions(&rule->when);
        check_conditions(&rule->unless);
    }
}

static void check_policy(const struct policy *policy, json_t *root)
{
    json_t *principals = json_object_get(root, "principals");
    json_t *organizations = json_object_get(root, "organizations");
    const char *name, *id;
    json_t *value, *other;
    size_t sources;

    FUZZ_CHECK(strncmp(policy_digest(policy), "sha256:", 7) == 0);
    FUZZ_CHECK(policy_principal_count(policy) == json_object_size(principals));
    const struct credential_source *credentials = policy_credentials(policy, &sources);
    json_object_foreach (principals, name, value) {
        const struct principal *principal = policy_principal_named(policy, span_of(name));
        FUZZ_CHECK(principal != NULL && strcmp(principal->name, name) == 0);
        FUZZ_CHECK(
            principal->credential == CREDENTIAL_OWN ||
            ((size_t)principal->credential < sources && credentials[principal->credential].name != NULL));
        json_object_foreach (organizations, id, other)
            check_permissions(policy, principal, policy_organization(policy, span_of(id)));
        check_permissions(policy, principal,
                          policy_organization(policy, span_of("99999999-9999-4999-8999-999999999999")));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct problems problems = {0};
    struct document document;

    if (document_read(&document, "policy", fuzz_span(data, size), &problems)) {
        struct policy *policy = policy_compile(&document, &problems);
        FUZZ_CHECK((policy == NULL) == (problems.errors > 0));
        if (policy != NULL)
            check_policy(policy, document.root);
        if (policy != NULL && policy_link(policy, contract, &document, &problems))
            check_rules(policy);
        else
            FUZZ_CHECK(problems.errors > 0);
        policy_free(policy);
    } else {
        FUZZ_CHECK(problems.errors > 0);
    }
    document_free(&document);
    problems_free(&problems);
    return 0;
}
