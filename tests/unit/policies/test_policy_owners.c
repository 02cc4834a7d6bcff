/* The members `owners` of principals: who is behind whom, and what is said about wrong ones. ' stands for ".
 */
#include "policies/policy.h"
#include "tests/unit/policies/fixture.h"

/* Two principals beside each other are one pair of eyes (`same`), or two. */
static const struct {
    const char *principals, *one, *other;
    bool same;
} pairs[] = {
    {"'ann': {}, 'bob': {}", "ann", "ann", true},
    {"'ann': {}, 'bob': {}", "ann", "bob", false},
    {"'ann': {}, 'bot': {'owners': ['ann']}", "ann", "bot", true},
    {"'ann': {}, 'bot': {'owners': ['ann']}", "bot", "ann", true},
    {"'ann': {}, 'bob': {}, 'bot': {'owners': ['ann']}", "bob", "bot", false},
    {"'ann': {}, 'bob': {}, 'bot': {'owners': ['bob', 'ann', 'bob']}", "ann", "bot", true},
    {"'one': {'owners': ['ann']}, 'ann': {}, 'other': {'owners': ['ann']}", "one", "other", true},
    {"'one': {'owners': ['ann']}, 'ann': {}, 'bob': {}, 'other': {'owners': ['bob']}", "one", "other", false},
    {"'one': {'owners': ['team']}, 'team': {'owners': ['ann']}, 'ann': {}", "ann", "one", true},
    {"'one': {'owners': ['team']}, 'team': {'owners': ['ann']}, 'ann': {}", "team", "one", true},
    {"'one': {'owners': ['team']}, 'team': {'owners': ['ann']}, 'ann': {}, 'phone': {'owners': ['ann']}",
     "phone", "one", true},
    {"'one': {'owners': ['z', 'a', 'm']}, 'a': {}, 'm': {}, 'z': {}, 'two': {'owners': ['y', 'm']}, 'y': {}",
     "one", "two", true},
    {"'one': {'owners': ['z', 'a', 'm']}, 'a': {}, 'm': {}, 'z': {}, 'two': {'owners': ['y', 'b']}, 'y': {}, "
     "'b': {}",
     "one", "two", false},
    {"'p0': {'owners': ['p1']}, 'p1': {'owners': ['p2']}, 'p2': {'owners': ['p3']}, 'p3': {'owners': ['p4']},"
     "'p4': {'owners': ['p5']}, 'p5': {'owners': ['p6']}, 'p6': {'owners': ['p7']}, 'p7': {'owners': ['p8']},"
     "'p8': {}",
     "p0", "p8", true},
};

static const struct {
    const char *principals, *problem;
} wrong[] = {
    {"'ann': {'owners': 'bob'}", "must be an array"},
    {"'ann': {'owners': [1]}", "must be a string"},
    {"'ann': {'owners': []}", "names nobody"},
    {"'ann': {}, 'bot': {'owners': ['anm']}", "unknown principal \"anm\"; did you mean \"ann\"?"},
    {"'ann': {'owners': ['ann']}", "nobody owns themselves"},
    {"'ann': {'owners': ['bob']}, 'bob': {'owners': ['ann']}",
     "goes round in a circle: \"ann\" is owned by \"bob\" already"},
    {"'a': {'owners': ['b']}, 'b': {'owners': ['x', 'c']}, 'c': {'owners': ['b']}, 'x': {}",
     "goes round in a circle"},
    {"'p0': {'owners': ['p1']}, 'p1': {'owners': ['p2']}, 'p2': {'owners': ['p3']}, 'p3': {'owners': ['p4']},"
     "'p4': {'owners': ['p5']}, 'p5': {'owners': ['p6']}, 'p6': {'owners': ['p7']}, 'p7': {'owners': ['p8']},"
     "'p8': {'owners': ['p9']}, 'p9': {}",
     "owners of owners go deeper than 8"},
    {"'p9': {}, 'p8': {'owners': ['p9']}, 'p7': {'owners': ['p8']}, 'p6': {'owners': ['p7']}, "
     "'p5': {'owners': ['p6']}, 'p4': {'owners': ['p5']}, 'p3': {'owners': ['p4']}, 'p2': {'owners': "
     "['p3']}, "
     "'p1': {'owners': ['p2']}, 'p0': {'owners': ['p1']}",
     "owners of owners go deeper than 8"},
};

static struct policy *compile(const char *principals, struct problems *problems)
{
    char policy[4096];

    assert_true((size_t)snprintf(policy, sizeof policy, "{'principals': {%s}}", principals) < sizeof policy);
    struct document document = fixture_document(policy);
    struct policy *compiled = policy_compile(&document, problems);
    document_free(&document);
    return compiled;
}

static void who_is_behind_whom(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct problems problems = {0};
        struct policy *policy = compile(pairs[i].principals, &problems);

        assert_non_null(policy);
        const struct principal *one = policy_principal_named(policy, span_of(pairs[i].one)),
                               *other = policy_principal_named(policy, span_of(pairs[i].other));
        if (policy_is_owner(one, other) != pairs[i].same || policy_is_owner(other, one) != pairs[i].same)
            fail_msg("%s: %s and %s", pairs[i].principals, pairs[i].one, pairs[i].other);
        policy_free(policy);
        problems_free(&problems);
    }
}

static void people_stand_in_order(void **state)
{
    struct problems problems = {0};
    struct policy *policy = compile(
        "'c': {}, 'bot': {'owners': ['b', 'team', 'a']}, 'b': {}, 'team': {'owners': ['c', 'a']}, 'a': {}",
        &problems);
    size_t count;

    (void)state;
    assert_non_null(policy);
    const uint32_t *people = policy_people(policy_principal_named(policy, span_of("bot")), &count);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(strlen(policy_principal_at(policy, people[i])->name), 1);
        assert_true(i == 0 || people[i - 1] < people[i]);
    }
    policy_free(policy);
    problems_free(&problems);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct problems problems = {0};
        bool said = false;

        assert_null(compile(wrong[i].principals, &problems));
        for (size_t at = 0; at < problems.count; at++)
            said = said || (problems.items[at].severity == SEVERITY_ERROR &&
                            strstr(problems.items[at].message, wrong[i].problem) != NULL);
        if (!said)
            fail_msg("%s: nothing like \"%s\" was said", wrong[i].principals, wrong[i].problem);
        problems_free(&problems);
    }
}

/* 64 people may stand behind a principal, and not one more. */
static void a_crowd_has_a_bound(void **state)
{
    char principals[4096];

    (void)state;
    for (size_t people = OWNERS_PEOPLE; people <= OWNERS_PEOPLE + 1; people++) {
        struct problems problems = {0};
        size_t at = 0, count;

        for (size_t i = 0; i < people; i++)
            at += (size_t)snprintf(principals + at, sizeof principals - at, "'p%zu': {}, ", i);
        at += (size_t)snprintf(principals + at, sizeof principals - at, "'bot': {'owners': [");
        for (size_t i = 0; i < people; i++)
            at += (size_t)snprintf(principals + at, sizeof principals - at, "%s'p%zu'", i ? ", " : "", i);
        (void)snprintf(principals + at, sizeof principals - at, "]}");

        struct policy *policy = compile(principals, &problems);
        assert_int_equal(policy != NULL, people == OWNERS_PEOPLE);
        if (policy != NULL) {
            (void)policy_people(policy_principal_named(policy, span_of("bot")), &count);
            assert_int_equal(count, OWNERS_PEOPLE);
        }
        policy_free(policy);
        problems_free(&problems);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_behind_whom),
        cmocka_unit_test(people_stand_in_order),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(a_crowd_has_a_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
