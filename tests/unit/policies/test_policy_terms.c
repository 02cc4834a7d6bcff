/* The members `not_before` and `not_after` of tokens and grants: what is said about wrong ones, and what the
 * calendar says of right ones. ' stands for ". */
#include "policies/policy.h"
#include "tests/unit/policies/fixture.h"

#define A    "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B    "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C    "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define NOW  "2026-07-01T12:00:00Z"
#define READ "'permissions': ['org.integration.read']"

#define TOKENS(tokens)                                                                                       \
    "{'principals': {'ann': {'tokens': [" tokens "]}}, 'organizations': {'*': {'grants': [{'principal': "    \
    "'ann', " READ "}]}}}"
#define GRANT(members)                                                                                       \
    "{'principals': {'ann': {'tokens': ['" A "']}}, 'organizations': {'*': {'grants': [{'principal': "       \
    "'ann', " READ members "}]}}}"

/* All that is said of the policy at NOW: "pointer: message". */
static const struct {
    const char *policy, *said;
} cases[] = {
    {TOKENS("'" A "', {'digest': '" B "'}"), ""},
    {TOKENS("{'digest': '" A "', 'not_before': '2026-07-02T00:00:00Z', 'description': 'the next one'}"), ""},
    {TOKENS("{'digest': '" A "', 'not_after': '2026-07-15T12:00:01Z'}"), ""},
    {TOKENS("{'digest': '" A "', 'not_after': '2026-07-15T12:00:00Z'}"),
     "/principals/ann/tokens/0: expires at 2026-07-15T12:00:00Z, in 14 days or less\n"},
    {TOKENS("{'digest': '" A "', 'not_after': '2026-07-01T12:00:00Z'}"),
     "/principals/ann/tokens/0: expires at 2026-07-01T12:00:00Z, in 1 day or less\n"},
    {TOKENS("'" B "', {'digest': '" A "', 'not_after': '2026-07-01T11:59:59Z'}"),
     "/principals/ann/tokens/1: expired at 2026-07-01T11:59:59Z: it is good for nothing any more\n"},
    {TOKENS("'" A "', '" B "', '" C "'"),
     "/principals/ann/tokens: 3 tokens are good at once: one, and beside it its successor for a while, is "
     "enough\n"},
    {TOKENS("'" A "', '" B "', {'digest': '" C "', 'not_before': '2026-07-01T12:00:01Z'}"), ""},
    {TOKENS("'" A "', '" B "', {'digest': '" C "', 'not_before': '2026-07-01T12:00:00Z'}"),
     "/principals/ann/tokens: 3 tokens are good at once: one, and beside it its successor for a while, is "
     "enough\n"},
    {GRANT(", 'not_before': '2026-01-01T00:00:00Z', 'not_after': '2026-12-31T23:59:59Z'"), ""},
    {GRANT(", 'not_before': '2026-07-01T00:00:00Z', 'not_after': '2026-07-01T00:00:00Z'"),
     "/organizations/*/grants/0: expired at 2026-07-01T00:00:00Z: it is good for nothing any more\n"},
    {GRANT(", 'not_after': '2026-07-04T00:00:00Z'"),
     "/organizations/*/grants/0: expires at 2026-07-04T00:00:00Z, in 3 days or less\n"},

    {TOKENS("{}"), "/principals/ann/tokens/0: lacks \"digest\"\n"},
    {TOKENS("{'digest': 1}"), "/principals/ann/tokens/0/digest: must be a string\n"},
    {TOKENS("1"), "/principals/ann/tokens/0: must be a string\n"},
    {TOKENS("{'digest': 'hush'}"), "/principals/ann/tokens/0/digest: is not \"sha256:\" and 64 hex digits; "
                                   "`portcullis token` prints the digest of a secret\n"},
    {TOKENS("{'digest': '" A "', 'until': ''}"),
     "/principals/ann/tokens/0/until: unknown member \"until\"\n"},
    {TOKENS("{'digest': '" A "', 'not_after': '2026-07-15'}"),
     "/principals/ann/tokens/0/not_after: must be a moment, \"YYYY-MM-DDThh:mm:ssZ\" (RFC 3339, UTC)\n"},
    {TOKENS("{'digest': '" A "', 'not_before': null}"),
     "/principals/ann/tokens/0/not_before: must be a moment, \"YYYY-MM-DDThh:mm:ssZ\" (RFC 3339, UTC)\n"},
    {TOKENS("{'digest': '" A "', 'not_before': '2026-07-01T00:00:01Z', 'not_after': '2026-07-01T00:00:00Z'}"),
     "/principals/ann/tokens/0: ends (not_after) before it begins (not_before): it is never good\n"},
    {TOKENS("'" A "', {'digest': '" A "', 'not_after': '2030-01-01T00:00:00Z'}"),
     "/principals/ann/tokens/1: the digest sha256:aaaaaaaa… stands here twice: one entry must say its "
     "time\n"},
    {GRANT(", 'not_after': 1782864000"),
     "/organizations/*/grants/0/not_after: must be a moment, \"YYYY-MM-DDThh:mm:ssZ\" (RFC 3339, UTC)\n"},
    {GRANT(", 'not_before': '2027-01-01T00:00:00Z', 'not_after': '2026-01-01T00:00:00Z'"),
     "/organizations/*/grants/0: ends (not_after) before it begins (not_before): it is never good\n"},
};

static struct text said(const char *policy)
{
    struct document document = fixture_document(policy);
    struct problems problems = {0};
    struct text text = {0};
    int64_t now;

    struct policy *compiled = policy_compile(&document, &problems);
    assert_true(moment_read(span_of(NOW), &now));
    if (compiled != NULL)
        policy_terms_check(compiled, &document, now, &problems);
    text_add(&text, "", 0);
    for (size_t i = 0; i < problems.count; i++)
        if (strstr(problems.items[i].message, "in every organization") == NULL)
            text_add_format(&text, "%s: %s\n", problems.items[i].pointer, problems.items[i].message);
    policy_free(compiled);
    problems_free(&problems);
    document_free(&document);
    return text;
}

static void every_case(void **state)
{
    unsigned failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text text = said(cases[i].policy);
        fixture_expect(&failed, cases[i].policy, text.data, cases[i].said);
        text_free(&text);
    }
    assert_int_equal(failed, 0);
}

/* Many terms: the array grows, and each grant keeps its own. */
static void many_terms(void **state)
{
    struct text json = {0};
    struct problems problems = {0};
    char moment[MOMENT_TEXT_SIZE];

    (void)state;
    text_add_string(&json, "{'principals': {'ann': {}}, 'organizations': {");
    for (unsigned i = 0; i < 100; i++) {
        moment_write(1000 + i, moment);
        text_add_format(&json,
                        "%s'%08x-0000-4000-8000-000000000000': {'grants': [{'principal': 'ann', " READ
                        ", 'not_before': '%s', 'not_after': '%s'}]}",
                        i ? ", " : "", i, moment, moment);
    }
    text_add_string(&json, "}}");
    struct document document = fixture_document(json.data);
    struct policy *policy = policy_compile(&document, &problems);
    assert_non_null(policy);
    for (unsigned i = 0; i < 100; i++) {
        char id[40];
        (void)snprintf(id, sizeof id, "%08x-0000-4000-8000-000000000000", i);
        for (int64_t now = 999; now <= 1100; now++) {
            struct access access = policy_access(policy, policy_principal_at(policy, 0),
                                                 policy_organization(policy, span_of(id)), now);
            assert_int_equal(access.allowed != 0, now == 1000 + i);
            assert_int_equal(access.granted, now == 1000 + i);
            assert_int_equal(access.lapsed != 0, now != 1000 + i);
        }
    }
    policy_free(policy);
    document_free(&document);
    problems_free(&problems);
    text_free(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case),
        cmocka_unit_test(many_terms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
