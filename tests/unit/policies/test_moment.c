#include "policies/moment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

static const struct {
    const char *text;
    int64_t seconds;
} rows[] = {
    {"1970-01-01T00:00:00Z", 0},
    {"1972-02-29T23:59:59Z", 68255999},
    {"2000-02-29T00:00:00Z", 951782400},
    {"2026-02-01T00:00:00Z", 1769904000},
    {"2026-11-23T16:07:19Z", 1795450039},
    {"2100-03-01T00:00:00Z", INT64_C(4107542400)},
    {"9999-12-31T23:59:59Z", INT64_C(253402300799)},
};

static const char *const wrong[] = {
    "",
    "2026-02-01",
    "2026-02-01T00:00Z",
    "2026-02-01T00:00:00",
    "2026-02-01 00:00:00Z",
    "2026-02-01t00:00:00Z",
    "2026-02-01T00:00:00z",
    "2026-02-01T00:00:00+00:00",
    "2026-02-01T00:00:00.0Z",
    "2026-02-01T24:00:00Z",
    "2026-02-01T23:60:00Z",
    "2026-02-01T23:59:60Z",
    "2026-02-01T-1:00:00Z",
    "2026-02-01T00-00:00Z",
    "2026-02-01T00:00-00Z",
    "2026-02-01T0x:00:00Z",
    "2026-02-01T00:0x:00Z",
    "2026-02-01T00:00:x0Z",
    "2026-02-29T00:00:00Z",
    "2100-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-04-31T00:00:00Z",
    "1969-12-31T23:59:59Z",
    "0000-01-01T00:00:00Z",
    "2026-02-01T00:00:00ZZ",
    " 2026-02-01T00:00:00Z",
};

static void each_row_is_read_and_written(void **state)
{
    char text[MOMENT_TEXT_SIZE];
    int64_t seconds;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(moment_read(span_of(rows[i].text), &seconds));
        assert_int_equal(seconds, rows[i].seconds);
        moment_write(seconds, text);
        assert_string_equal(text, rows[i].text);
    }
}

static void another_form_is_refused(void **state)
{
    int64_t seconds;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (moment_read(span_of(wrong[i]), &seconds))
            fail_msg("\"%s\" was read", wrong[i]);
}

/* The C library's calendar agrees, over all years: every day of the first two centuries, then one a month. */
static void the_calendar_is_the_c_librarys(void **state)
{
    char text[MOMENT_TEXT_SIZE], theirs[MOMENT_TEXT_SIZE];
    const int64_t last = rows[sizeof rows / sizeof *rows - 1].seconds;
    int64_t seconds;

    (void)state;
    for (int64_t time = 0; time <= last; time += time < 200 * 366 * MOMENT_DAY ? 86399 : 30 * 86399) {
        struct tm parts;
        time_t now = time;

        assert_non_null(gmtime_r(&now, &parts));
        assert_int_equal(strftime(theirs, sizeof theirs, "%Y-%m-%dT%H:%M:%SZ", &parts), sizeof theirs - 1);
        moment_write(time, text);
        assert_string_equal(text, theirs);
        assert_true(moment_read(span_of(text), &seconds));
        assert_int_equal(seconds, time);
    }
}

static void what_has_no_form_is_written_as_the_nearest(void **state)
{
    char text[MOMENT_TEXT_SIZE];

    (void)state;
    moment_write(MOMENT_FIRST, text);
    assert_string_equal(text, "1970-01-01T00:00:00Z");
    moment_write(MOMENT_LAST, text);
    assert_string_equal(text, "9999-12-31T23:59:59Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_is_read_and_written),
        cmocka_unit_test(another_form_is_refused),
        cmocka_unit_test(the_calendar_is_the_c_librarys),
        cmocka_unit_test(what_has_no_form_is_written_as_the_nearest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
