#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/base/clock.h"

#include <string.h>

static void formats_times(void **state)
{
    static const struct {
        int64_t time;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000000Z"},
        {1, "1970-01-01T00:00:00.000001Z"},
        {-1, "1969-12-31T23:59:59.999999Z"},
        {-1000000, "1969-12-31T23:59:59.000000Z"},
        {1709251199999999, "2024-02-29T23:59:59.999999Z"},
        {1769903999123456, "2026-01-31T23:59:59.123456Z"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[CLOCK_TEXT + 1];
        memset(text, '!', sizeof text);
        clock_format(rows[i].time, text);
        assert_string_equal(text, rows[i].text);
        assert_int_equal(text[CLOCK_TEXT], '!');
    }
}

/* A time that no four-digit year can hold must not write beyond its text. */
static void stays_within_its_text(void **state)
{
    static const int64_t times[] = {INT64_MAX, INT64_MIN, 253402300800000000};

    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        char text[CLOCK_TEXT + 1];
        memset(text, '!', sizeof text);
        clock_format(times[i], text);
        assert_true(strlen(text) < CLOCK_TEXT);
        assert_int_equal(text[CLOCK_TEXT], '!');
    }
}

/* One time after the other gives what each alone does, whatever came before. */
static void formats_the_next_time(void **state)
{
    static const int64_t times[] = {0,        1, 999999,           1000000,          999999,          -1,
                                    -1000000, 0, 1709251199999999, 1709251199000001, 1709251200000000};
    struct clock_text next = {0};
    char text[CLOCK_TEXT];

    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        clock_format(times[i], text);
        clock_format_next(&next, times[i]);
        assert_string_equal(next.text, text);
    }
}

static void goes_on(void **state)
{
    int64_t first = clock_monotonic_us();

    (void)state;
    assert_true(clock_monotonic_us() >= first);
    assert_true(clock_now_us() > 1700000000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_times),
        cmocka_unit_test(stays_within_its_text),
        cmocka_unit_test(formats_the_next_time),
        cmocka_unit_test(goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
