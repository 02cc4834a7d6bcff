#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/limits/retry_after.h"

#define NOW 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */

static void reads_seconds_and_dates(void **state)
{
    static const struct {
        const char *value;
        int64_t seconds;
    } rows[] = {
        {"0", 0},
        {"120", 120},
        {"0120", 120},
        {"9999999999", 9999999999},
        {"99999999999", -1},
        {"Sun, 06 Nov 1994 08:49:38 GMT", 1},
        {"Sunday, 06-Nov-94 08:50:37 GMT", 60},
        {"Sun Nov  6 09:49:37 1994", 3600},
        {"Sun, 06 Nov 1994 08:49:37 GMT", -1}, /* now */
        {"Sun, 06 Nov 1994 08:49:36 GMT", -1}, /* over */
        {"", -1},
        {"-1", -1},
        {"+5", -1},
        {"5.5", -1},
        {"5s", -1},
        {"0x10", -1},
        {"tomorrow", -1},
        {"Sun, 06 Nov 1994 08:49:38 GMT and more", -1},
        {"Sun, 06 Nov 1994 08:49:38", -1},
        {"Sun, 36 Nov 1994 08:49:38 GMT", -1},
        {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", -1},
    };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (retry_after_read(span_of(rows[i].value), NOW) != rows[i].seconds)
            fail_msg("%s", rows[i].value);
    assert_int_equal(retry_after_read((struct span){NULL, 0}, NOW), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_seconds_and_dates)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
