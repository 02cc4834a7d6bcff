/* The policy file. It is compiled, or there is an error that says why; whatever it allows or denies has a
 * rule that says so, and nothing is both. */
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
        policy_free(policy);
    } else {
        FUZZ_CHECK(problems.errors > 0);
    }
    document_free(&document);
    problems_free(&problems);
    return 0;
}
