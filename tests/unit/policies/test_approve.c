/* Who may approve what others ask for. ' stands for ". */
#include "policies/approve.h"
#include "tests/unit/policies/fixture.h"

#define HERE  "11111111-1111-4111-8111-111111111111"
#define THERE "22222222-2222-4222-8222-222222222222"
#define NOON  INT64_C(1782907200) /* 2026-07-01T12:00:00Z */

static const char POLICY[] =
    "{'principals': {'asker': {}, 'eve': {}, 'bot': {'owners': ['ann']}, 'ann': {}, 'bob': {}, 'late': {},"
    " 'everywhere': {}},"
    " 'organizations': {"
    "'" HERE "': {'grants': [{'principal': 'asker', 'permissions': ['portcullis.approve']},"
    " {'principal': 'ann', 'permissions': ['portcullis.approve']},"
    " {'principal': 'bot', 'permissions': ['portcullis.approve']},"
    " {'principal': 'bob', 'permissions': ['portcullis.approve'], 'deny': ['portcullis.approve']},"
    " {'principal': 'late', 'permissions': ['portcullis.approve'], 'not_after': '2026-07-01T12:00:01Z'},"
    " {'principal': 'eve', 'permissions': ['org.integration.delete']}]},"
    "'" THERE "': {'grants': [{'principal': 'eve', 'permissions': ['portcullis.approve']}]},"
    "'*': {'grants': [{'principal': 'everywhere', 'permissions': ['portcullis.approve']}]}}}";

static const struct {
    const char *approver, *requester, *organization;
    int64_t now;
    enum approve_right right;
} rows[] = {
    {"ann", "asker", HERE, NOON, APPROVE_MAY},
    {"bot", "asker", HERE, NOON, APPROVE_MAY},
    {"ann", "asker", THERE, NOON, APPROVE_NO_PERMISSION},
    {"ann", "asker", "", NOON, APPROVE_NO_PERMISSION},
    {"asker", "asker", HERE, NOON, APPROVE_IS_REQUESTER},
    {"ann", "bot", HERE, NOON, APPROVE_OWNS_REQUESTER},
    {"bot", "ann", HERE, NOON, APPROVE_OWNS_REQUESTER},
    {"bob", "asker", HERE, NOON, APPROVE_NO_PERMISSION},
    {"eve", "asker", HERE, NOON, APPROVE_NO_PERMISSION},
    {"eve", "asker", THERE, NOON, APPROVE_MAY},
    {"everywhere", "asker", HERE, NOON, APPROVE_MAY},
    {"everywhere", "asker", "", NOON, APPROVE_MAY},
    {"late", "asker", HERE, NOON, APPROVE_MAY},
    {"late", "asker", HERE, NOON + 2, APPROVE_NO_PERMISSION},
};

static void who_may(void **state)
{
    struct document document = fixture_document(POLICY);
    struct problems problems = {0};
    struct policy *policy = policy_compile(&document, &problems);

    (void)state;
    assert_non_null(policy);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct principal *approver = policy_principal_named(policy, span_of(rows[i].approver)),
                               *requester = policy_principal_named(policy, span_of(rows[i].requester));
        enum approve_right right =
            policy_may_approve(policy, approver, requester, span_of(rows[i].organization), rows[i].now);

        if (right != rows[i].right)
            fail_msg("row %zu: %s for %s: %d", i, rows[i].approver, rows[i].requester, (int)right);
    }
    policy_free(policy);
    problems_free(&problems);
    document_free(&document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(who_may)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
