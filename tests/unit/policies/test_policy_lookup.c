/* What a compiled policy answers: who, what, where, with which key; small and large. */
#include "policies/digest.h"
#include "policies/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define PAYMENTS "11111111-2222-4333-8444-555555555555"
#define SANDBOX  "22222222-3333-4444-8555-66666666abcd"
#define OTHER    "33333333-3333-4444-8555-666666666666"

static const char source[] =
    "{'api_versions': {'oldest': '2024-10-15', 'stability': ['ga', 'work-in-progress'], 'calendar': false,"
    "  'headers': ['Api-Version']},"
    " 'principals': {"
    "  'ann': {'tokens': ['%s', '%s'], 'upstream_token': {'env': 'ANN'}},"
    "  'bob': {'tokens': ['%s']}, 'eve': {}},"
    " 'roles': {'viewer': ['org.integration.read'], 'editor': ['org.integration.read', "
    "'org.integration.edit']},"
    " 'organizations': {"
    "  '" PAYMENTS "': {'name': 'payments', 'upstream_token': {'file': 'keys/payments'}, 'grants': ["
    "   {'principal': 'ann', 'roles': ['viewer']},"
    "   {'principal': 'bob', 'roles': ['editor'], 'deny': ['org.integration.delete']},"
    "   {'principal': 'ann', 'permissions': ['org.integration.create', 'org.integration.delete']}]},"
    "  '22222222-3333-4444-8555-66666666ABCD': {'grants': ["
    "   {'principal': 'bob', 'roles': ['editor']}, {'principal': 'ann', 'deny': ['org.integration.edit']}]},"
    "  '*': {'upstream_token': {'env': 'ALL'}, 'grants': ["
    "   {'principal': 'ann', 'permissions': ['org.integration.settings.edit']},"
    "   {'principal': 'bob', 'deny': ['org.integration.settings.edit']}]}}}";

static struct policy *compile(struct text *text)
{
    struct document document;
    struct problems problems = {0};
    struct policy *policy = NULL;

    for (size_t i = 0; i < text->length; i++)
        if (text->data[i] == '\'')
            text->data[i] = '"';
    if (document_read(&document, "policy.json", (struct span){text->data, text->length}, &problems))
        policy = policy_compile(&document, &problems);
    if (policy == NULL) {
        struct text said = {0};
        problems_write(&problems, &said);
        (void)fprintf(stderr, "%s", said.data);
        text_free(&said);
    }
    problems_free(&problems);
    document_free(&document);
    return policy;
}

static void digest_text(const char *secret, char text[DIGEST_TEXT_SIZE])
{
    unsigned char digest[DIGEST_SIZE];

    digest_of(span_of(secret), digest);
    digest_write(digest, text);
}

static int set_up(void **state)
{
    static const char *const secrets[] = {"ann-1", "ann-2", "bob-1"};
    char digests[3][DIGEST_TEXT_SIZE];
    struct text text = {0};

    for (size_t i = 0; i < 3; i++)
        digest_text(secrets[i], digests[i]);
    text_add_format(&text, source, digests[0], digests[1], digests[2]);
    *state = compile(&text);
    text_free(&text);
    return *state != NULL ? 0 : 1;
}

static int tear_down(void **state)
{
    policy_free(*state);
    return 0;
}

static const struct principal *by_secret(const struct policy *policy, const char *secret)
{
    unsigned char digest[DIGEST_SIZE];
    const struct term *term;

    digest_of(span_of(secret), digest);
    const struct principal *principal = policy_principal_by_digest(policy, digest, &term);
    assert_null(term);
    return principal;
}

static void principals(void **state)
{
    const struct policy *policy = *state;
    const struct principal *ann = policy_principal_named(policy, span_of("ann"));

    assert_int_equal(policy_principal_count(policy), 3);
    assert_string_equal(ann->name, "ann");
    assert_ptr_equal(by_secret(policy, "ann-1"), ann);
    assert_ptr_equal(by_secret(policy, "ann-2"), ann);
    assert_string_equal(by_secret(policy, "bob-1")->name, "bob");
    assert_null(by_secret(policy, "ann-3"));
    assert_null(by_secret(policy, ""));
    assert_null(policy_principal_named(policy, span_of("Ann")));
    assert_null(policy_principal_named(policy, span_of("")));
}

static void digests(void **state)
{
    unsigned char digest[DIGEST_SIZE], again[DIGEST_SIZE];
    char text[DIGEST_TEXT_SIZE];

    (void)state;
    digest_of(span_of("abc"), digest); /* FIPS 180-2, B.1 */
    digest_write(digest, text);
    assert_string_equal(text, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_true(digest_read(span_of(text), again));
    assert_memory_equal(digest, again, DIGEST_SIZE);
    assert_false(digest_read((struct span){text, strlen(text) - 1}, again));
    text[10] = 'g';
    assert_false(digest_read(span_of(text), again));
}

#define READ     "org.integration.read"
#define EDIT     "org.integration.edit"
#define CREATE   "org.integration.create"
#define UPDATE   "org.integration.update"
#define DELETE   "org.integration.delete"
#define SETTINGS "org.integration.settings.edit"

/* Does the principal have the permission there, and which rule gives it, and which takes it away? */
static void access_and_rules(void **state)
{
    static const struct {
        const char *principal, *organization, *permission;
        bool granted, allowed;
        const char *given, *taken;
    } cases[] = {
        {"ann", PAYMENTS, READ, true, true, "/organizations/" PAYMENTS "/grants/0", ""},
        {"ann", PAYMENTS, CREATE, true, true, "/organizations/" PAYMENTS "/grants/2", ""},
        {"ann", PAYMENTS, SETTINGS, true, true, "/organizations/*/grants/0", ""},
        {"ann", PAYMENTS, UPDATE, true, false, "", ""},
        {"ann", PAYMENTS, EDIT, true, false, "/organizations/" PAYMENTS "/grants/2", ""},
        {"ann", "11111111-2222-4333-8444-555555555556", READ, true, false, "", ""},
        {"ann", OTHER, SETTINGS, true, true, "/organizations/*/grants/0", ""},
        {"ann", SANDBOX, SETTINGS, true, false, "/organizations/*/grants/0",
         "/organizations/" SANDBOX "/grants/1"},
        {"ann", SANDBOX, DELETE, true, false, "", "/organizations/" SANDBOX "/grants/1"},
        {"ann", SANDBOX, READ, true, false, "", ""},
        {"bob", PAYMENTS, UPDATE, true, true, "/organizations/" PAYMENTS "/grants/1", ""},
        {"bob", PAYMENTS, DELETE, true, false, "/organizations/" PAYMENTS "/grants/1",
         "/organizations/" PAYMENTS "/grants/1"},
        {"bob", PAYMENTS, SETTINGS, true, false, "/organizations/" PAYMENTS "/grants/1",
         "/organizations/*/grants/1"},
        {"bob", SANDBOX, DELETE, true, true, "/organizations/" SANDBOX "/grants/0", ""},
        {"bob", "22222222-3333-4444-8555-66666666ABCD", DELETE, true, true,
         "/organizations/" SANDBOX "/grants/0", ""},
        {"bob", SANDBOX, SETTINGS, true, false, "/organizations/" SANDBOX "/grants/0",
         "/organizations/*/grants/1"},
        {"bob", OTHER, READ, true, false, "", ""},
        {"bob", "not-a-uuid", READ, true, false, "", ""},
        {"bob", "", READ, true, false, "", ""},
        {"eve", PAYMENTS, READ, false, false, "", ""},
        {"eve", OTHER, READ, false, false, "", ""},
    };
    const struct policy *policy = *state;
    struct arena arena;

    arena_init(&arena);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct principal *principal = policy_principal_named(policy, span_of(cases[i].principal));
        uint32_t organization = policy_organization(policy, span_of(cases[i].organization));
        permission_set set = permission_named(span_of(cases[i].permission));
        struct access access = policy_access(policy, principal, organization, 0);

        assert_int_not_equal(set, 0);
        assert_int_equal(access.granted, cases[i].granted);
        assert_int_equal((access.allowed & set) == set, cases[i].allowed);
        assert_int_equal(access.allowed & access.denied, 0);
        assert_string_equal(policy_grant_pointer(policy, principal, organization, set, false, 0, &arena),
                            cases[i].given);
        assert_string_equal(policy_grant_pointer(policy, principal, organization, set, true, 0, &arena),
                            cases[i].taken);
    }
    arena_reset(&arena);
}

static void credentials(void **state)
{
    const struct policy *policy = *state;
    size_t count;
    const struct credential_source *sources = policy_credentials(policy, &count);
    int own = policy_principal_named(policy, span_of("ann"))->credential;
    int payments = policy_organization_credential(policy, policy_organization(policy, span_of(PAYMENTS)));
    int elsewhere = policy_organization_credential(policy, policy_organization(policy, span_of(OTHER)));

    assert_int_equal(count, 3);
    assert_int_equal(policy_principal_named(policy, span_of("bob"))->credential, CREDENTIAL_OWN);
    assert_int_equal(sources[own].kind, CREDENTIAL_ENV);
    assert_string_equal(sources[own].name, "ANN");
    assert_string_equal(sources[own].pointer, "/principals/ann/upstream_token");
    assert_int_equal(sources[payments].kind, CREDENTIAL_FILE);
    assert_string_equal(sources[payments].name, "keys/payments");
    assert_string_equal(sources[payments].pointer, "/organizations/" PAYMENTS "/upstream_token");
    assert_string_equal(sources[elsewhere].name, "ALL");
    assert_int_equal(policy_organization_credential(policy, policy_organization(policy, span_of(SANDBOX))),
                     elsewhere);
    assert_int_equal(policy_organization_credential(policy, policy_organization(policy, span_of(""))),
                     elsewhere);
}

static void versions(void **state)
{
    const struct version_rules *rules = policy_version_rules(*state);
    struct text empty = {0};

    assert_int_equal(rules->oldest, 20241015);
    assert_int_equal(rules->newest, 0);
    assert_false(rules->calendar);
    assert_true(rules->allowed[STABILITY_GA] && rules->allowed[STABILITY_WIP]);
    assert_false(rules->allowed[STABILITY_BETA] || rules->allowed[STABILITY_EXPERIMENTAL]);
    assert_string_equal(rules->headers[0].data, "Api-Version");
    assert_null(rules->headers[1].data);

    text_add_string(&empty, "{}");
    struct policy *policy = compile(&empty);
    rules = policy_version_rules(policy);
    assert_int_equal(rules->oldest, 0);
    assert_true(rules->calendar);
    assert_true(rules->allowed[STABILITY_GA] && rules->allowed[STABILITY_BETA]);
    assert_false(rules->allowed[STABILITY_WIP] || rules->allowed[STABILITY_EXPERIMENTAL]);
    assert_string_equal(rules->headers[0].data, "Snyk-Version");
    assert_string_equal(rules->headers[1].data, "X-Snyk-Version");
    assert_null(rules->headers[2].data);
    assert_int_equal(policy_principal_count(policy), 0);
    assert_string_equal(policy_digest(policy),
                        "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    policy_free(policy);
    text_free(&empty);
}

#define MANY_ORGANIZATIONS 10000
#define MANY_PRINCIPALS    100

static void write_many(struct text *text)
{
    char digest[DIGEST_TEXT_SIZE], secret[32];

    text_add_string(text, "{'principals': {");
    for (unsigned i = 0; i < MANY_PRINCIPALS; i++) {
        (void)snprintf(secret, sizeof secret, "secret-%u", i);
        digest_text(secret, digest);
        text_add_format(text, "%s'p%u': {'tokens': ['%s']}", i ? ", " : "", i, digest);
    }
    text_add_string(text, "}, 'roles': {'viewer': ['org.integration.read']}, 'organizations': {");
    for (unsigned i = 0; i < MANY_ORGANIZATIONS; i++)
        text_add_format(
            text,
            "%s'%08x-0000-4000-8000-000000000000': {'grants': [{'principal': 'p%u', 'roles': ['viewer']}, "
            "{'principal': 'p%u', 'permissions': ['org.integration.delete']}]}",
            i ? ",\n" : "", i, i % MANY_PRINCIPALS, (i + 1) % MANY_PRINCIPALS);
    text_add_string(text, "}}");
}

/* Every principal in every organisation gets what its grants there say, and nothing else. */
static void many_organizations(void **state)
{
    const permission_set read = permission_named(span_of(READ)), delete = permission_named(span_of(DELETE));
    struct text text = {0};

    (void)state;
    write_many(&text);
    struct policy *policy = compile(&text);
    text_free(&text);
    assert_non_null(policy);
    for (unsigned p = 0; p < MANY_PRINCIPALS; p++) {
        char secret[32];
        (void)snprintf(secret, sizeof secret, "secret-%u", p);
        const struct principal *principal = by_secret(policy, secret);
        assert_int_equal(principal->index, p);
        for (unsigned i = 0; i < MANY_ORGANIZATIONS; i++) {
            char id[40];
            (void)snprintf(id, sizeof id, "%08x-0000-4000-8000-000000000000", i);
            struct access access =
                policy_access(policy, principal, policy_organization(policy, span_of(id)), 0);
            permission_set expected = i % MANY_PRINCIPALS == p         ? read
                                      : (i + 1) % MANY_PRINCIPALS == p ? delete
                                                                       : 0;
            assert_int_equal(access.allowed, expected);
            assert_int_equal(access.granted, expected != 0);
        }
    }
    policy_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(principals),  cmocka_unit_test(digests),  cmocka_unit_test(access_and_rules),
        cmocka_unit_test(credentials), cmocka_unit_test(versions), cmocka_unit_test(many_organizations),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
