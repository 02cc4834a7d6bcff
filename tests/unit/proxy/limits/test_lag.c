#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/limits/lag.h"

#define MS     1000ll
#define PERIOD (100 * MS)
#define BOUND  (500 * MS)

/* Ticks so much later each than they should be; is the loop too slow behind the last of them? */
static bool ticks(struct lag *lag, int64_t *now, unsigned count, int64_t late)
{
    bool lagging = false;

    for (unsigned i = 0; i < count; i++)
        lagging = lag_tick(lag, PERIOD, BOUND, *now += PERIOD + late);
    return lagging;
}

static void three_in_a_row(void **state)
{
    struct lag lag = {0};
    int64_t now = 7000000 * MS;
    (void)state;

    assert_false(ticks(&lag, &now, 10, 0));
    assert_false(ticks(&lag, &now, 10, BOUND - 1));
    assert_false(ticks(&lag, &now, 2, BOUND));
    assert_true(ticks(&lag, &now, 1, BOUND));
    assert_true(ticks(&lag, &now, 5, BOUND * 9));
    assert_false(ticks(&lag, &now, 1, 0)); /* over at once */
    assert_false(ticks(&lag, &now, 2, BOUND));
}

static void a_process_that_was_stopped(void **state)
{
    struct lag lag = {0};
    int64_t now = 7000000 * MS;
    (void)state;

    assert_false(ticks(&lag, &now, 1, 0)); /* the first one has nothing to be compared with */
    assert_false(ticks(&lag, &now, 1, 1000 * BOUND));
    assert_false(ticks(&lag, &now, 2, 0));
}

static void never(void **state)
{
    struct lag lag = {0};
    (void)state;

    for (int64_t i = 1; i < 10; i++)
        assert_false(lag_tick(&lag, PERIOD, 0, i * 1000 * PERIOD));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_in_a_row),
        cmocka_unit_test(a_process_that_was_stopped),
        cmocka_unit_test(never),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
