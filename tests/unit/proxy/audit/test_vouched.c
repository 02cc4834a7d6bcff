#include "proxy/audit/vouched.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void only_newer_sets_may_follow(void **state)
{
    static const struct {
        struct manifest newest, next;
        const char *says; /* NULL: it may */
    } rows[] = {
        {{.serial = 0}, {1, A, B, ""}, NULL},
        {{4, A, B, ""}, {5, B, A, ""}, NULL},
        {{4, A, B, ""}, {4, A, B, ""}, NULL},
        {{4, A, B, ""}, {4, A, A, ""}, "4 was in force already for another"},
        {{4, A, B, ""}, {4, B, B, ""}, "4 was in force already for another"},
        {{4, A, B, A}, {4, A, B, A}, NULL},
        {{4, A, B, A}, {4, A, B, B}, "4 was in force already for another"},
        {{4, A, B, A}, {4, A, B, ""}, "4 was in force already for another"},
        {{4, A, B, ""}, {3, A, B, ""}, "serial is 3, and 4 was in force already"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char error[512] = "";
        bool may = vouched_may_follow(&rows[i].newest, &rows[i].next, error, sizeof error);
        if (may != (rows[i].says == NULL) || (rows[i].says != NULL && strstr(error, rows[i].says) == NULL))
            fail_msg("row %zu: %s", i, error);
    }
}

static void the_newest_line_is_known(void **state)
{
    static const struct {
        const char *line;
        uint64_t serial; /* that is known behind it */
    } rows[] = {
        {"{\"stage\":\"start\"}", 0},
        {"{\"contract\":\"" B "\",\"policy\":\"" A "\",\"serial\":3,\"stage\":\"policy\"}", 3},
        {"{\"contract\":\"" B "\",\"policy\":\"" A "\",\"stage\":\"policy\"}", 3},
        {"{\"contract\":\"" B "\",\"policy\":\"" A "\",\"serial\":2,\"stage\":\"policy\"}", 3},
        {"{\"contract\":\"" B "\",\"policy\":\"" A "\",\"serial\":7,\"stage\":\"intent\"}", 3},
        {"{\"contract\":\"short\",\"policy\":\"" A "\",\"serial\":7,\"stage\":\"policy\"}", 3},
        {"{\"policy\":\"" A "\",\"serial\":7,\"stage\":\"policy\"}", 3},
        {"{\"contract\":\"" B "\",\"policy\":\"" A "\",\"serial\":-7,\"stage\":\"policy\"}", 3},
        {"{\"contract\":\"" B "\",\"policy\":\"" A "\",\"serial\":\"7\",\"stage\":\"policy\"}", 3},
        {"\"serial\":", 3},
        {"{\"contract\":\"" B "\",\"policy\":\"" A "\",\"serial\":9,\"stage\":\"segment\"}", 9},
        {"{\"contract\":\"" B "\",\"oauth_keys\":\"" B "\",\"policy\":\"" A
         "\",\"serial\":10,\"stage\":\"segment\"}",
         10},
    };
    struct manifest newest = {.serial = 0};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        vouched_note(&newest, span_of(rows[i].line));
        assert_int_equal(newest.serial, rows[i].serial);
    }
    assert_string_equal(newest.policy, A);
    assert_string_equal(newest.contract, B);
    assert_string_equal(newest.oauth_keys, B);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_newer_sets_may_follow),
        cmocka_unit_test(the_newest_line_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
