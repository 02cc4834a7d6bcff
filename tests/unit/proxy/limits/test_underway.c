#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "proxy/limits/underway.h"

#include <pthread.h>
#include <stdatomic.h>

static void each_name_once(void **state)
{
    struct underway *underway = underway_new();
    struct underway_one one = {0}, same = {0}, other = {0};
    (void)state;

    assert_non_null(underway);
    assert_true(underway_enter(underway, &one, SPAN("a")));
    assert_false(underway_enter(underway, &same, SPAN("a")));
    assert_true(underway_enter(underway, &other, SPAN("b")));
    underway_leave(underway, &same); /* it never was */
    assert_false(underway_enter(underway, &same, SPAN("a")));
    underway_leave(underway, &one);
    underway_leave(underway, &one);
    assert_true(underway_enter(underway, &same, SPAN("a")));
    assert_false(underway_enter(underway, &one, SPAN("b")));
    underway_leave(underway, &same);
    underway_leave(underway, &other);
    underway_free(underway);
    underway_free(NULL);
}

/* More than there are buckets, and all come out again, in whatever order. */
static void of_many_none_is_lost(void **state)
{
    enum { MANY = 2000 };
    static struct underway_one ones[MANY], again;
    static char names[MANY][8];
    struct underway *underway = underway_new();
    (void)state;

    assert_non_null(underway);
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(names[i], sizeof names[i], "%d", i);
        assert_true(underway_enter(underway, &ones[i], span_of(names[i])));
    }
    for (int i = 0; i < MANY; i++) {
        int at = i * 7 % MANY;

        assert_false(underway_enter(underway, &again, span_of(names[at])));
        underway_leave(underway, &ones[at]);
        assert_true(underway_enter(underway, &again, span_of(names[at])));
        underway_leave(underway, &again);
    }
    underway_free(underway);
}

static struct underway *shared;
static _Atomic unsigned inside, most;

static void *come_and_go(void *arg)
{
    struct underway_one one = {0};
    (void)arg;

    for (int i = 0; i < 20000; i++) {
        if (!underway_enter(shared, &one, SPAN("the same")))
            continue;
        unsigned now = ++inside, seen = most;
        while (seen < now && !atomic_compare_exchange_weak(&most, &seen, now))
            ;
        inside--;
        underway_leave(shared, &one);
    }
    return NULL;
}

static void of_many_at_once_one_is_in(void **state)
{
    pthread_t threads[4];
    (void)state;

    shared = underway_new();
    assert_non_null(shared);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(most, 1);
    underway_free(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_name_once),
        cmocka_unit_test(of_many_none_is_lost),
        cmocka_unit_test(of_many_at_once_one_is_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
