#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/limits/rate.h"

#include <pthread.h>
#include <stdlib.h>

#define SECOND 1000000ll
#define BEGAN  (5000 * SECOND) /* some moment */

/* A policy; ' stands for ". */
static struct policy *compile(const char *text)
{
    char *copy = strdup(text);
    struct problems problems = {0};
    struct document document = {0};

    assert_non_null(copy);
    for (char *c = copy; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    assert_true(document_read(&document, "p", span_of(copy), &problems));
    struct policy *policy = policy_compile(&document, &problems);
    assert_non_null(policy);
    document_free(&document);
    problems_free(&problems);
    free(copy);
    return policy;
}

#define THREE_IN_SIX "{'principals': {'a': {'rate_limit': {'requests': 3, 'seconds': 6}}, 'b': {}}}"

static struct rates *make(const struct policy *policy)
{
    bool right = false;
    struct rates *rates = rates_new(policy, &right);

    assert_true(right);
    return rates;
}

static const struct principal *named(const struct policy *policy, const char *name)
{
    const struct principal *principal = policy_principal_named(policy, span_of(name));

    assert_non_null(principal);
    return principal;
}

static void a_bucket_is_full_at_first_and_fills_evenly(void **state)
{
    struct policy *policy = compile(THREE_IN_SIX);
    struct rates *rates = make(policy);
    const struct principal *a = named(policy, "a");
    (void)state;

    for (int i = 0; i < 3; i++)
        assert_int_equal(rates_take(rates, a, BEGAN), 0);
    assert_int_equal(rates_take(rates, a, BEGAN), 2 * SECOND);
    assert_int_equal(rates_take(rates, a, BEGAN + SECOND), SECOND); /* a refusal takes nothing */
    assert_int_equal(rates_take(rates, a, BEGAN + 2 * SECOND - 1), 1);
    assert_int_equal(rates_take(rates, a, BEGAN + 2 * SECOND), 0);
    assert_int_equal(rates_take(rates, a, BEGAN + 2 * SECOND), 2 * SECOND);
    for (int i = 0; i < 3; i++) /* it holds no more than it holds, however long one waits */
        assert_int_equal(rates_take(rates, a, BEGAN + 1000 * SECOND), 0);
    assert_int_equal(rates_take(rates, a, BEGAN + 1000 * SECOND), 2 * SECOND);
    rates_free(rates);
    policy_free(policy);
}

static void principals_do_not_share(void **state)
{
    struct policy *policy = compile("{'rate_limit': {'requests': 1, 'seconds': 10}, 'principals': {'a': {}, "
                                    "'b': {}, 'c': {'rate_limit': null}}}");
    struct rates *rates = make(policy);
    (void)state;

    assert_int_equal(rates_take(rates, named(policy, "a"), BEGAN), 0);
    assert_int_equal(rates_take(rates, named(policy, "a"), BEGAN), 10 * SECOND);
    assert_int_equal(rates_take(rates, named(policy, "b"), BEGAN), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(rates_take(rates, named(policy, "c"), BEGAN), 0);
    rates_free(rates);
    policy_free(policy);
}

static void without_limits_nothing_is_kept(void **state)
{
    struct policy *policy = compile("{'principals': {'a': {}, 'b': {'rate_limit': null}}}");
    (void)state;

    assert_null(make(policy));
    assert_int_equal(rates_take(NULL, named(policy, "a"), BEGAN), 0);
    policy_free(policy);
}

/* The other policy has the principals in another order, one of them with a smaller limit. */
static void a_reload_keeps_what_was_used(void **state)
{
    struct policy *before = compile(THREE_IN_SIX);
    struct policy *after = compile("{'principals': {'z': {'rate_limit': {'requests': 1, 'seconds': 1}}, 'a': "
                                   "{'rate_limit': {'requests': 1, 'seconds': 4}}}}");
    struct rates *old = make(before), *new = make(after);
    (void)state;

    for (int i = 0; i < 3; i++)
        assert_int_equal(rates_take(old, named(before, "a"), BEGAN), 0);
    rates_inherit(new, after, old, before);
    assert_int_equal(rates_take(new, named(after, "a"), BEGAN), 4 * SECOND); /* empty, and in no debt */
    assert_int_equal(rates_take(new, named(after, "a"), BEGAN + 6 * SECOND), 0);
    assert_int_equal(rates_take(new, named(after, "z"), BEGAN), 0);
    rates_inherit(NULL, after, old, before);
    rates_inherit(new, after, NULL, before);
    rates_free(old);
    rates_free(new);
    policy_free(before);
    policy_free(after);
}

struct taker {
    struct rates *rates;
    const struct principal *principal;
    unsigned taken;
};

static void *take_many(void *arg)
{
    struct taker *taker = arg;

    for (int i = 0; i < 20000; i++)
        taker->taken += rates_take(taker->rates, taker->principal, BEGAN) == 0;
    return NULL;
}

/* However many take at the same time: exactly as many get one as there are. */
static void threads_share_exactly(void **state)
{
    struct policy *policy =
        compile("{'principals': {'a': {'rate_limit': {'requests': 31337, 'seconds': 7}}}}");
    struct rates *rates = make(policy);
    struct taker takers[4];
    pthread_t threads[4];
    unsigned taken = 0;
    (void)state;

    for (size_t i = 0; i < 4; i++) {
        takers[i] = (struct taker){rates, named(policy, "a"), 0};
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, &takers[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        taken += takers[i].taken;
    }
    assert_int_equal(taken, 31337);
    rates_free(rates);
    policy_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_is_full_at_first_and_fills_evenly),
        cmocka_unit_test(principals_do_not_share),
        cmocka_unit_test(without_limits_nothing_is_kept),
        cmocka_unit_test(a_reload_keeps_what_was_used),
        cmocka_unit_test(threads_share_exactly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
