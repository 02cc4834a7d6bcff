#include "policies/version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void versions(void **state)
{
    static const struct {
        const char *text;
        bool good;
        uint32_t date;
        enum stability stability;
    } cases[] = {
        {"2024-10-15", true, 20241015, STABILITY_GA},
        {"2024-10-15~beta", true, 20241015, STABILITY_BETA},
        {"2024-10-15~experimental", true, 20241015, STABILITY_EXPERIMENTAL},
        {"2024-10-15~wip", true, 20241015, STABILITY_WIP},
        {"2024-10-15~work-in-progress", true, 20241015, STABILITY_WIP},
        {"beta", true, 0, STABILITY_BETA},
        {"wip", true, 0, STABILITY_WIP},
        {"work-in-progress", true, 0, STABILITY_WIP},
        {"experimental", true, 0, STABILITY_EXPERIMENTAL},
        {"2024-02-31", true, 20240231, STABILITY_GA}, /* the form alone: the calendar is policy's */
        {"2024-19-00", true, 20241900, STABILITY_GA},
        {"9999-99-99~beta", true, 99999999, STABILITY_BETA},
        {"0000-00-01", true, 1, STABILITY_GA},
        {"0000-00-00", false, 0, 0}, /* else it would look like a bare word */
        {"0000-00-00~beta", false, 0, 0},
        {"", false, 0, 0},
        {"ga", false, 0, 0},
        {"2024-10-15~ga", false, 0, 0},
        {"Beta", false, 0, 0},
        {"BETA", false, 0, 0},
        {"beta ", false, 0, 0},
        {" beta", false, 0, 0},
        {"beta\n", false, 0, 0},
        {"bet", false, 0, 0},
        {"betaa", false, 0, 0},
        {"~beta", false, 0, 0},
        {"2024-10-15~", false, 0, 0},
        {"2024-10-15~~beta", false, 0, 0},
        {"2024-10-15~beta~beta", false, 0, 0},
        {"2024-10-15~Beta", false, 0, 0},
        {"2024-10-15\n", false, 0, 0},
        {"2024-10-15 ", false, 0, 0},
        {"2024-10-15beta", false, 0, 0},
        {"2024-10-15%7Ebeta", false, 0, 0},
        {"2024-10-1", false, 0, 0},
        {"2024-10-155", false, 0, 0},
        {"2024-1-015", false, 0, 0},
        {"2024/10/15", false, 0, 0},
        {"20241015", false, 0, 0},
        {"2024-10-1x", false, 0, 0},
        {"-024-10-15", false, 0, 0},
        {"+024-10-15", false, 0, 0},
        {"2024-10-15-", false, 0, 0},
        {"v1", false, 0, 0},
        {"2\xef\xbc\x90\x32\x34-10-15", false, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct version version;
        bool good = version_parse(span_of(cases[i].text), &version);
        if (good != cases[i].good)
            (void)fprintf(stderr, "version \"%s\"\n", cases[i].text);
        assert_int_equal(good, cases[i].good);
        if (!good)
            continue;
        assert_int_equal(version.date, cases[i].date);
        assert_int_equal(version.stability, cases[i].stability);
    }
}

static void a_nul_is_not_an_end(void **state)
{
    struct version version;

    (void)state;
    assert_false(version_parse((struct span){"beta\0", 5}, &version));
    assert_false(version_parse((struct span){"2024-10-15\0", 11}, &version));
    assert_int_equal(version_date_parse((struct span){"2024-10-15\0", 11}), 0);
}

static void calendar(void **state)
{
    static const struct {
        uint32_t date;
        bool real;
    } cases[] = {
        {20241015, true},   {20240229, true},     {20230229, false}, {20000229, true},  {19000229, false},
        {21000229, false},  {20240230, false},    {20240231, false}, {20240431, false}, {20240430, true},
        {20240631, false},  {20240931, false},    {20241131, false}, {20240131, true},  {20241231, true},
        {20241232, false},  {20240100, false},    {20240001, false}, {20241301, false}, {20241901, false},
        {0, false},         {1231, false},        {10101, true},     {99991231, true},  {99991232, false},
        {100000101, false}, {4294967295u, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (version_date_is_real(cases[i].date) != cases[i].real)
            (void)fprintf(stderr, "date %u\n", cases[i].date);
        assert_int_equal(version_date_is_real(cases[i].date), cases[i].real);
    }
}

/* 146097 days in every 400 years, whatever the years. */
static void days_of_400_years(void **state)
{
    unsigned days = 0;

    (void)state;
    for (uint32_t year = 2000; year < 2400; year++)
        for (uint32_t rest = 0; rest < 10000; rest++)
            days += version_date_is_real(year * 10000 + rest) ? 1 : 0;
    assert_int_equal(days, 146097);
}

static void dates(void **state)
{
    (void)state;
    assert_int_equal(version_date_parse(span_of("2024-10-15")), 20241015);
    assert_int_equal(version_date_parse(span_of("2024-02-29")), 20240229);
    assert_int_equal(version_date_parse(span_of("2023-02-29")), 0);
    assert_int_equal(version_date_parse(span_of("2024-00-15")), 0);
    assert_int_equal(version_date_parse(span_of("0000-01-01")), 0);
    assert_int_equal(version_date_parse(span_of("2024-10-15~beta")), 0);
    assert_int_equal(version_date_parse(span_of("beta")), 0);
    assert_int_equal(version_date_parse(span_of("")), 0);
    assert_int_equal(version_date_parse((struct span){NULL, 0}), 0);
}

static void stabilities(void **state)
{
    enum stability found;

    (void)state;
    for (int i = 0; i < STABILITY_COUNT; i++) {
        assert_true(stability_named(span_of(stability_name((enum stability)i)), &found));
        assert_int_equal(found, i);
    }
    assert_string_equal(stability_name(STABILITY_WIP), "wip");
    assert_string_equal(stability_name(STABILITY_GA), "ga");
    assert_true(stability_named(span_of("work-in-progress"), &found));
    assert_int_equal(found, STABILITY_WIP);
    assert_false(stability_named(span_of(""), &found));
    assert_false(stability_named(span_of("GA"), &found));
    assert_false(stability_named(span_of("deprecated"), &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions), cmocka_unit_test(a_nul_is_not_an_end),
        cmocka_unit_test(calendar), cmocka_unit_test(days_of_400_years),
        cmocka_unit_test(dates),    cmocka_unit_test(stabilities),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
