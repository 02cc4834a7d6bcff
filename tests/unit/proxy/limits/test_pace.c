#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/limits/pace.h"

#define SECOND 1000000ll
#define BEGAN  (77 * SECOND) /* some moment */

/* What was done after so many seconds, and whether it is enough. */
struct look {
    int64_t after_s;
    uint64_t done;
    bool holds;
};

static void check_looks(const struct pace_rule *rule, const struct look *looks, size_t count)
{
    struct pace pace;

    pace_begin(&pace, 1000, BEGAN);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(pace_holds(&pace, rule, 1000 + looks[i].done, BEGAN + looks[i].after_s * SECOND),
                         looks[i].holds);
}

static void holds_to_a_rate_after_the_grace(void **state)
{
    const struct pace_rule rule = {.bytes_per_s = 100, .grace_ms = 5000};
    const struct look slow[] = {{1, 0, true}, {4, 10, true}, {5, 499, false}};
    const struct look fast[] = {{5, 500, true}, {60, 6000, true}, {61, 6099, false}};
    const struct look burst[] = {{1, 6000, true}, {60, 6000, true}, {61, 6000, false}}; /* it is an average */
    (void)state;

    check_looks(&rule, slow, 3);
    check_looks(&rule, fast, 3);
    check_looks(&rule, burst, 3);
}

static void holds_to_progress(void **state)
{
    const struct pace_rule rule = {.still_ms = 30000};
    const struct look one_byte_each_29_s[] = {{29, 1, true}, {58, 2, true}, {87, 3, true}, {117, 3, false}};
    (void)state;

    check_looks(&rule, one_byte_each_29_s, 4);
}

static void one_byte_now_and_then_is_too_slow(void **state)
{
    const struct pace_rule rule = {.still_ms = 30000, .bytes_per_s = 200, .grace_ms = 5000};
    const struct look looks[] = {{5, 1, false}};
    (void)state;

    check_looks(&rule, looks, 1);
}

static void holds_to_a_total(void **state)
{
    const struct pace_rule rule = {.total_ms = 10000, .bytes_per_s = 1, .grace_ms = 1000};
    const struct look looks[] = {{9, 1u << 30, true}, {10, 1u << 30, false}};
    (void)state;

    check_looks(&rule, looks, 2);
}

static void all_off_holds_for_ever(void **state)
{
    const struct pace_rule rule = {.grace_ms = 10};
    const struct look looks[] = {{1000000, 0, true}};
    struct pace pace;
    (void)state;

    check_looks(&rule, looks, 1);
    pace_begin(&pace, 0, BEGAN);
    assert_true(pace_next(&pace, &rule, BEGAN) == INT64_MAX);
}

/* Whatever bound breaks first, somebody has looked by then or looks at that moment. */
static void looks_in_time(void **state)
{
    const struct {
        struct pace_rule rule;
        int64_t now_s, next_s;
    } rows[] = {
        {{.total_ms = 3000}, 0, 3},
        {{.total_ms = 3000, .bytes_per_s = 1, .grace_ms = 2000}, 0, 2},
        {{.total_ms = 3000, .bytes_per_s = 1, .grace_ms = 2000}, 2, 3},
        {{.bytes_per_s = 1, .grace_ms = 2000}, 1, 2},
        {{.bytes_per_s = 1, .grace_ms = 2000}, 7, 8},
        {{.still_ms = 30000}, 0, 1},
        {{.still_ms = 500, .bytes_per_s = 1, .grace_ms = 2000}, 0, 0}, /* half a second: rounded below */
    };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pace pace;
        pace_begin(&pace, 0, BEGAN);
        int64_t next = pace_next(&pace, &rows[i].rule, BEGAN + rows[i].now_s * SECOND);
        assert_int_equal((next - BEGAN) / SECOND, rows[i].next_s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_to_a_rate_after_the_grace),
        cmocka_unit_test(holds_to_progress),
        cmocka_unit_test(one_byte_now_and_then_is_too_slow),
        cmocka_unit_test(holds_to_a_total),
        cmocka_unit_test(all_off_holds_for_ever),
        cmocka_unit_test(looks_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
