#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/upstream/congestion.h"

#define MS     1000ll
#define TARGET (100 * MS)
#define BEGAN  (5000 * 1000 * MS) /* some moment */

/* An interval in which so many were served, each after that time; what the room is at its end. */
static size_t interval(struct congestion *congestion, int64_t *now, size_t served, int64_t waited)
{
    for (size_t i = 0; i < served; i++)
        congestion_served(congestion, waited);
    *now += TARGET;
    return congestion_room(congestion, waited, *now);
}

static void short_waits_do_no_harm(void **state)
{
    struct congestion congestion = {.target_us = TARGET};
    int64_t now = BEGAN;
    (void)state;

    congestion_begin(&congestion, now);
    for (int i = 0; i < 10; i++)
        assert_true(interval(&congestion, &now, 50, TARGET) == SIZE_MAX);
}

static void one_short_wait_is_enough(void **state)
{
    struct congestion congestion = {.target_us = TARGET};
    int64_t now = BEGAN;
    (void)state;

    congestion_begin(&congestion, now);
    congestion_served(&congestion, 10 * MS);
    assert_true(interval(&congestion, &now, 50, 900 * MS) == SIZE_MAX);
}

static void a_standing_queue_may_be_as_long_as_is_served(void **state)
{
    struct congestion congestion = {.target_us = TARGET};
    int64_t now = BEGAN;
    (void)state;

    congestion_begin(&congestion, now);
    congestion_begin(&congestion, now + 50 * MS); /* has begun already */
    assert_int_equal(interval(&congestion, &now, 50, TARGET + 1), 50);
    assert_int_equal(congestion_room(&congestion, 0, now + 1), 50); /* until the interval is over */
    assert_int_equal(interval(&congestion, &now, 30, 300 * MS), 30);
    assert_true(interval(&congestion, &now, 30, 90 * MS) == SIZE_MAX); /* over */
    assert_int_equal(interval(&congestion, &now, 30, 300 * MS), 30);
    congestion_end(&congestion);
    assert_true(congestion_room(&congestion, 0, now) == SIZE_MAX);
}

static void nobody_is_served(void **state)
{
    struct congestion congestion = {.target_us = TARGET};
    int64_t now = BEGAN;
    (void)state;

    congestion_begin(&congestion, now);
    assert_true(interval(&congestion, &now, 0, TARGET) == SIZE_MAX);
    assert_int_equal(interval(&congestion, &now, 0, 2 * TARGET), 1);
}

static void off(void **state)
{
    struct congestion congestion = {.target_us = 0};
    int64_t now = BEGAN;
    (void)state;

    congestion_begin(&congestion, now);
    assert_true(interval(&congestion, &now, 1, 1000000 * MS) == SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_waits_do_no_harm),
        cmocka_unit_test(one_short_wait_is_enough),
        cmocka_unit_test(a_standing_queue_may_be_as_long_as_is_served),
        cmocka_unit_test(nobody_is_served),
        cmocka_unit_test(off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
