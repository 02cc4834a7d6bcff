#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/audit/when.h"
#include "proxy/base/clock.h"

#define NOW  INT64_C(1769904000000000) /* 2026-02-01T00:00:00Z */
#define NONE INT64_MIN

static const struct {
    const char *text;
    int64_t us;
} rows[] = {
    {"1970-01-01", 0},
    {"1970-01-01T00:00:00Z", 0},
    {"2026-02-01", NOW},
    {"2026-02-01T00:00:00Z", NOW},
    {"2026-02-01t00:00:00z", NOW},
    {"2026-02-01 00:00:00Z", NOW},
    {"2026-02-01T01:30:00+01:30", NOW},
    {"2026-01-31T23:00:00-01:00", NOW},
    {"2026-02-01T00:00:00.000001Z", NOW + 1},
    {"2026-02-01T00:00:00.5Z", NOW + 500000},
    {"2026-02-01T00:00:00.1234569999Z", NOW + 123456},
    {"2026-01-31T23:59:60Z", NOW},
    {"2024-02-29T00:00:00Z", INT64_C(1709164800000000)},
    {"2000-02-29", INT64_C(951782400000000)},
    {"2100-03-01", INT64_C(4107542400000000)},
    {"90s", NOW - 90 * INT64_C(1000000)},
    {"15m", NOW - 900 * INT64_C(1000000)},
    {"2h", NOW - 7200 * INT64_C(1000000)},
    {"7d", NOW - 7 * INT64_C(86400000000)},
    {"4w", NOW - 28 * INT64_C(86400000000)},
    {"0s", NOW},
    {"", NONE},
    {"now", NONE},
    {"h", NONE},
    {"-1h", NONE},
    {"1.5h", NONE},
    {"2H", NONE},
    {"9999999d", NONE},
    {"2h ", NONE},
    {"2026", NONE},
    {"2026-02", NONE},
    {"2026-13-01", NONE},
    {"2026-00-01", NONE},
    {"2026-02-29", NONE},
    {"2100-02-29", NONE},
    {"2026-04-31", NONE},
    {"2026-02-00", NONE},
    {"1969-12-31", NONE},
    {"2026-2-1", NONE},
    {"2026-02-01T", NONE},
    {"2026-02-01T00:00:00", NONE},
    {"2026-02-01T00:00Z", NONE},
    {"2026-02-01T24:00:00Z", NONE},
    {"2026-02-01T00:60:00Z", NONE},
    {"2026-02-01T00:00:61Z", NONE},
    {"2026-02-01T00:00:00.Z", NONE},
    {"2026-02-01T00:00:00+1:00", NONE},
    {"2026-02-01T00:00:00+24:00", NONE},
    {"2026-02-01T00:00:00ZZ", NONE},
    {"2026-02-01Z", NONE},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t us = NONE;
        bool read = when_read(span_of(rows[i].text), NOW, &us);

        if (read != (rows[i].us != NONE) || (read && us != rows[i].us))
            fail_msg("\"%s\": %lld instead of %lld", rows[i].text, (long long)us, (long long)rows[i].us);
    }
}

/* Whatever the journal writes is read as what it was; every length of a text is. */
static void test_what_the_clock_writes(void **state)
{
    char text[CLOCK_TEXT];
    int64_t us;

    (void)state;
    for (int64_t time = 0; time < INT64_C(5000000000000000); time += INT64_C(7777777777777)) {
        clock_format(time, text);
        assert_true(when_read(span_of(text), 0, &us));
        assert_int_equal(us, time);
    }
    for (size_t length = 0; length < CLOCK_TEXT - 1; length++)
        assert_int_equal(when_read((struct span){text, length}, 0, &us), length == 10); /* the day alone */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_what_the_clock_writes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
