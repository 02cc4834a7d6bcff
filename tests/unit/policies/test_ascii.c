/* Runs of a class, at every length and with every byte at every place: what goes eight bytes at a time finds
 * the same as what goes byte by byte. */
#include "policies/ascii.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define LONGEST 40

static size_t run_alone(struct span bytes, unsigned class)
{
    return ascii_run(bytes, class);
}

static size_t value_run(struct span bytes, unsigned class)
{
    (void)class;
    return ascii_value_run(bytes);
}

static size_t plain_run(struct span bytes, unsigned class)
{
    (void)class;
    return ascii_plain_run(bytes);
}

static size_t byte_by_byte(struct span bytes, unsigned class)
{
    size_t length = 0;

    while (length < bytes.length && ascii_is(bytes.data[length], class))
        length++;
    return length;
}

static void runs_end_where_the_class_ends(void **state)
{
    static const struct {
        size_t (*run)(struct span bytes, unsigned class);
        unsigned class;
    } cases[] = {
        {value_run, ASCII_VALUE},      {plain_run, ASCII_PLAIN},   {run_alone, ASCII_TOKEN},
        {run_alone, ASCII_TARGET},     {run_alone, ASCII_SEGMENT}, {run_alone, ASCII_QUERY},
        {run_alone, ASCII_UNRESERVED},
    };
    char bytes[LONGEST];
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t length = 0; length <= LONGEST; length++)
            for (size_t at = 0; at < length; at++)
                for (unsigned byte = 0; byte < 256; byte++) {
                    memset(bytes, 'a', sizeof bytes);
                    bytes[at] = (char)byte;
                    struct span text = {bytes, length};
                    assert_int_equal(cases[i].run(text, cases[i].class), byte_by_byte(text, cases[i].class));
                }
    assert_int_equal(ascii_value_run((struct span){NULL, 0}), 0);
    assert_int_equal(ascii_plain_run((struct span){NULL, 0}), 0);
}

/* The words of the RFCs, spelled out once more. */
static void classes_are_those_of_the_grammars(void **state)
{
    static const char token[] = "!#$%&'*+-.^_`|~", unreserved[] = "-._~", segment[] = "-._~!$&'()*+,=:@",
                      query[] = "-._~!$&'()*+,;=:@/?", target[] = "-._~!$&'()*+,;=:@/?#[]%";
    (void)state;

    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        bool word = ascii_is_letter(c) || ascii_is_digit(c), ascii = byte > 0 && byte < 0x80;
        assert_int_equal(ascii_is(c, ASCII_TOKEN), word || (ascii && strchr(token, c) != NULL));
        assert_int_equal(ascii_is(c, ASCII_UNRESERVED), word || (ascii && strchr(unreserved, c) != NULL));
        assert_int_equal(ascii_is(c, ASCII_SEGMENT), word || (ascii && strchr(segment, c) != NULL));
        assert_int_equal(ascii_is(c, ASCII_QUERY), word || (ascii && strchr(query, c) != NULL));
        assert_int_equal(ascii_is(c, ASCII_TARGET), word || (ascii && strchr(target, c) != NULL));
        assert_int_equal(ascii_is(c, ASCII_VALUE), c == '\t' || byte >= 0x80 || (byte >= ' ' && byte < 0x7f));
        assert_int_equal(ascii_is(c, ASCII_PLAIN), byte >= ' ' && byte < 0x80 && c != '"' && c != '\\');
    }
}

static void hex_digits(void **state)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    (void)state;

    for (int byte = 0; byte < 256; byte++) {
        const char *at = byte == 0 ? NULL : strchr(digits, byte);
        long index = at == NULL ? -1 : at - digits;
        assert_int_equal(ascii_hex((char)byte), index > 15 ? index - 6 : index);
    }
}

/* Every byte at every place of texts up to longer than a window, from every place on. */
static void finds_others(void **state)
{
    char text[70];

    (void)state;
    for (size_t length = 0; length <= sizeof text; length += length < 40 ? 1 : 5)
        for (size_t from = 0; from <= length; from += from < 3 ? 1 : 7)
            for (size_t at = from; at < length; at++)
                for (int byte = 0; byte < 256; byte++) {
                    memset(text, 'x', sizeof text);
                    text[at] = (char)byte;
                    uint64_t map = ascii_others((struct span){text, length}, from);
                    size_t behind = length - from;
                    uint64_t expected = behind < 64 ? UINT64_MAX << behind : 0;
                    if (at - from < 64 && !ascii_is_unreserved((char)byte))
                        expected |= UINT64_C(1) << (at - from);
                    assert_true(map == expected);
                }
}

/* Every byte at every place of texts shorter and longer than a word. */
static void tells_secrets(void **state)
{
    char text[35];

    (void)state;
    assert_true(ascii_is_secret((struct span){NULL, 0}));
    for (size_t length = 1; length <= sizeof text; length++)
        for (size_t at = 0; at < length; at++)
            for (int byte = 0; byte < 256; byte++) {
                memset(text, 'x', sizeof text);
                text[at] = (char)byte;
                assert_int_equal(ascii_is_secret((struct span){text, length}),
                                 byte > ' ' && byte < 0x7f && byte != ',');
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_secrets),
        cmocka_unit_test(finds_others),
        cmocka_unit_test(runs_end_where_the_class_ends),
        cmocka_unit_test(classes_are_those_of_the_grammars),
        cmocka_unit_test(hex_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
