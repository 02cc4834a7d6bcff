/* Cursors, times and pauses as answers spell them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/upstream/reading.h"

#include <stdio.h>
#include <stdlib.h>

#define NO "-" /* a fault */

static void finds_the_next_page(void **state)
{
    static const struct {
        const char *document, *cursor;
    } rows[] = {
        {"{}", ""},
        {"{\"links\":null}", ""},
        {"{\"links\":{}}", ""},
        {"{\"links\":{\"prev\":\"?starting_after=v1.YQ\"}}", ""},
        {"{\"links\":{\"next\":null}}", ""},
        {"{\"links\":{\"next\":\"\"}}", ""},
        {"{\"links\":{\"next\":{}}}", ""},
        {"{\"links\":{\"next\":{\"href\":null,\"meta\":{}}}}", ""},
        {"{\"links\":{\"next\":{\"href\":\"\"}}}", ""},
        {"{\"links\":{\"next\":\"/rest/x?starting_after=v1.YQ==\"}}", "v1.YQ=="},
        {"{\"links\":{\"next\":\"/x?a=b&starting_after=v1.YQ%3D%3d&limit=10\"}}", "v1.YQ=="},
        {"{\"links\":{\"next\":\"http://169.254.169.254/?starting_after=v1.a%2Fb%2bc_-\"}}", "v1.a/b+c_-"},
        {"{\"links\":{\"next\":{\"href\":\"?starting_after=v1.YQ#x\"}}}", "v1.YQ"},
        {"{\"links\":{\"next\":\"?xstarting_after=v1.YQ\"}}", NO},
        {"{\"links\":{\"next\":\"?x=?starting_after=v1.YQ\"}}", NO},
        {"{\"links\":{\"next\":\"starting_after=v1.YQ\"}}", NO},
        {"{\"links\":{\"next\":\"?ending_before=v1.YQ\"}}", NO},
        {"{\"links\":{\"next\":\"#?starting_after=v1.\"}}", NO},
        {"{\"links\":{\"next\":\"?starting_after=v1.Y=Q\"}}", NO},
        {"{\"links\":{\"next\":\"?starting_after=v1.YQ%2\"}}", NO},
        {"{\"links\":{\"next\":\"?starting_after=v1.YQ%\"}}", NO},
        {"{\"links\":{\"next\":\"?starting_after=v1.YQ%zz\"}}", NO},
        {"{\"links\":{\"next\":\"?starting_after=v1.YQ%26x%3Dy\"}}", NO},
        {"{\"links\":{\"next\":true}}", NO},
        {"{\"links\":{\"next\":{\"href\":[]}}}", NO},
        {"{\"links\":1}", NO},
    };
    char cursor[READING_CURSOR];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *fault = NULL;
        json_t *document = reading_document(span_of(rows[i].document), &fault);
        bool read = reading_next(document, cursor, &fault), wanted = strcmp(rows[i].cursor, NO) != 0;
        if (read != wanted || strcmp(cursor, wanted ? rows[i].cursor : "") != 0 || (fault == NULL) != wanted)
            fail_msg("%s: %d \"%s\"", rows[i].document, read, cursor);
        json_decref(document);
    }
}

static void bounds_a_cursor(void **state)
{
    (void)state;
    for (size_t digits = 1018; digits <= 1030; digits++) {
        struct text link = {0};
        char cursor[READING_CURSOR];
        const char *fault = NULL;

        text_add_string(&link, "?starting_after=v1.");
        for (size_t i = 0; i < digits; i++)
            text_add(&link, "a", 1);
        json_t *document = json_pack("{s:{s:s}}", "links", "next", link.data);
        bool fits = digits + 3 < READING_CURSOR;
        assert_int_equal(reading_next(document, cursor, &fault), fits);
        assert_int_equal(strlen(cursor), fits ? digits + 3 : 0);
        json_decref(document);
        text_free(&link);
    }
}

static void reads_times(void **state)
{
    static const struct {
        const char *text;
        int64_t us; /* -1: none */
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-01-31T12:00:00Z", INT64_C(1769860800000000)},
        {"2026-01-31T12:00:00.5Z", INT64_C(1769860800500000)},
        {"2026-01-31t12:00:00.123456z", INT64_C(1769860800123456)},
        {"2026-01-31T12:00:00.1234569999Z", INT64_C(1769860800123456)},
        {"2026-01-31T13:30:00+01:30", INT64_C(1769860800000000)},
        {"2026-01-31T11:00:00-01:00", INT64_C(1769860800000000)},
        {"2016-12-31T23:59:60Z", INT64_C(1483228800000000)},
        {"", -1},
        {"2026-01-31", -1},
        {"2026-01-31T12:00:00", -1},
        {"2026-01-31T12:00:00.Z", -1},
        {"2026-01-31T12:00:00ZZ", -1},
        {"2026-01-31T12:00:00+0100", -1},
        {"2026-01-31T12:00:00+24:00", -1},
        {"2026-01-31T12:00:00+01:60", -1},
        {"2026-01-31 12:00:00Z", -1},
        {"2026-13-31T12:00:00Z", -1},
        {"2026-00-31T12:00:00Z", -1},
        {"2026-01-32T12:00:00Z", -1},
        {"2026-01-31T24:00:00Z", -1},
        {"2026-01-31T12:60:00Z", -1},
        {"1969-12-31T23:59:59Z", -1},
        {"-026-01-31T12:00:00Z", -1},
        {" 2026-01-31T12:00:00Z", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t length = strlen(rows[i].text);
        char *text = malloc(length + 1); /* of its own size, for AddressSanitizer */
        int64_t us = -1;

        memcpy(text, rows[i].text, length);
        bool read = reading_time((struct span){text, length}, &us);
        if (read != (rows[i].us >= 0) || (read && us != rows[i].us))
            fail_msg("%s: %d %lld", rows[i].text, read, (long long)us);
        free(text);
    }
    int64_t us;
    assert_false(reading_time((struct span){NULL, 0}, &us));
}

static void reads_pauses(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } rows[] = {
        {"0", 0},
        {"7", 7},
        {"86400", 86400},
        {"86401", 86400},
        {"9999999999999999999999999", 86400},
        {"Sat, 31 Jan 2026 12:00:10 GMT", 10},
        {"Sat, 31 Jan 2026 11:00:00 GMT", 0},
        {"Thu, 31 Dec 2099 00:00:00 GMT", 86400},
        {"", -1},
        {"-1", -1},
        {"1.5", -1},
        {"1 s", -1},
        {"soon", -1},
        {"Sat, 31 Jan 2026 12:00:10 CET", -1},
        {"Sat, 31 Jan 2026 12:00:10 GMT and more of it", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (reading_retry_after(span_of(rows[i].text), INT64_C(1769860800)) != rows[i].seconds)
            fail_msg("%s", rows[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_next_page),
        cmocka_unit_test(bounds_a_cursor),
        cmocka_unit_test(reads_times),
        cmocka_unit_test(reads_pauses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
