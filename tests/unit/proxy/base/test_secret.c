#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/base/secret.h"

#include <stdlib.h>
#include <unistd.h>

static void trims_one_line_end(void **state)
{
    static const struct {
        const char *text;
        size_t length;
    } rows[] = {{"", 0},        {"\n", 0},      {"\r\n", 0},  {"abc", 3},      {"abc\n", 3},
                {"abc\r\n", 3}, {"abc\n\n", 4}, {"abc\r", 4}, {"abc\r\r\n", 4}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(secret_trim(span_of(rows[i].text)).length, rows[i].length);
}

static void finds_faults(void **state)
{
    char *text = malloc(SECRET_BYTES + 2);

    (void)state;
    assert_non_null(text);
    memset(text, 'x', SECRET_BYTES + 1);
    assert_null(secret_fault((struct span){text, SECRET_BYTES}));
    assert_string_equal(secret_fault((struct span){text, SECRET_BYTES + 1}),
                        "is longer than 4096 characters");
    free(text);
    assert_string_equal(secret_fault(span_of("")), "is empty");
    assert_null(secret_fault(span_of("!~")));
    for (int c = 0; c < 256; c++) {
        char bytes[3] = {'a', (char)c, 'b'};
        assert_int_equal(secret_fault((struct span){bytes, 3}) == NULL, c > 0x20 && c < 0x7f);
    }
}

static void reads_what_there_is(void **state)
{
    char room[8];
    size_t length = 99;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "0123456789", 10), 10);
    close(ends[1]);
    assert_null(secret_read(ends[0], room, sizeof room, &length));
    assert_int_equal(length, 8);
    assert_memory_equal(room, "01234567", 8);
    assert_null(secret_read(ends[0], room, sizeof room, &length));
    assert_int_equal(length, 2);
    close(ends[0]);
    assert_string_equal(secret_read(ends[0], room, sizeof room, &length), "Bad file descriptor");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trims_one_line_end),
        cmocka_unit_test(finds_faults),
        cmocka_unit_test(reads_what_there_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
