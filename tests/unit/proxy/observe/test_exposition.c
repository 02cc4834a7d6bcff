#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/observe/exposition.h"

#define REPLACED "\xef\xbf\xbd"

static void shows_numbers_exactly(void **state)
{
    static const struct {
        uint64_t value, unit;
        const char *shown;
    } rows[] = {
        {0, 1, "0"},
        {7, 1, "7"},
        {UINT64_MAX, 1, "18446744073709551615"},
        {0, 1000000, "0"},
        {1, 1000000, "0.000001"},
        {100, 1000000, "0.0001"},
        {2500000, 1000000, "2.5"},
        {60000000, 1000000, "60"},
        {1000001, 1000000, "1.000001"},
        {1020300, 1000000, "1.0203"},
    };
    struct text shown = {0};
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        text_clear(&shown);
        exposition_number(&shown, rows[i].value, rows[i].unit);
        assert_string_equal(shown.data, rows[i].shown);
    }
    text_free(&shown);
}

/* Backslash, quote and line end have escapes; nothing else has: a tab written as JSON has it would make the
 * whole page unreadable. */
static void keeps_any_label_in_its_quotes(void **state)
{
    static const struct {
        const char *value, *shown;
    } rows[] = {
        {"", "{l=\"\""},
        {"plain", "{l=\"plain\""},
        {"a\"} 1\nforged 2", "{l=\"a\\\"} 1\\nforged 2\""},
        {"\\", "{l=\"\\\\\""},
        {"a\tb\rc\x7f", "{l=\"a" REPLACED "b" REPLACED "c" REPLACED "\""},
        {"\xc3\xa4", "{l=\"\xc3\xa4\""},
        {"\xc3", "{l=\"" REPLACED "\""},
        {"\xff\xfe", "{l=\"" REPLACED REPLACED "\""},
    };
    struct text shown = {0};
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        text_clear(&shown);
        exposition_label(&shown, true, "l", span_of(rows[i].value));
        assert_string_equal(shown.data, rows[i].shown);
    }
    text_free(&shown);
}

static void writes_families(void **state)
{
    struct text page = {0};
    (void)state;

    exposition_single(&page, "x_seconds", "gauge", "How long", 1500000, 1000000);
    exposition_name(&page, "x_seconds");
    exposition_label(&page, true, "a", span_of("1"));
    exposition_label(&page, false, "b", span_of("2"));
    exposition_value(&page, true, 3, 1);
    assert_string_equal(page.data,
                        "# HELP portcullis_x_seconds How long.\n# TYPE portcullis_x_seconds gauge\n"
                        "portcullis_x_seconds 1.5\nportcullis_x_seconds{a=\"1\",b=\"2\"} 3\n");
    text_free(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_numbers_exactly),
        cmocka_unit_test(keeps_any_label_in_its_quotes),
        cmocka_unit_test(writes_families),
    };

    return cmocka_run_group_tests_name("exposition", tests, NULL, NULL);
}
