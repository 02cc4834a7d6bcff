#include "policies/uuid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define TEXT "0f3c1a52-6e1b-4c8e-9b5d-2a7f10c4d8e6"

static void texts_that_are_none(void **state)
{
    static const char *const cases[] = {
        "",
        "0f3c1a52-6e1b-4c8e-9b5d-2a7f10c4d8e",
        TEXT "6",
        "0f3c1a526e1b-4c8e-9b5d-2a7f10c4d8e6--",
        "{f3c1a52-6e1b-4c8e-9b5d-2a7f10c4d8e}",
        "0f3c1a5-26e1b-4c8e-9b5d-2a7f10c4d8e6",
    };
    unsigned char id[UUID_BYTES];
    char text[] = TEXT;
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_false(is_uuid(span_of(cases[i])));
    /* one wrong byte, anywhere */
    for (size_t at = 0; at < sizeof text - 1; at++) {
        char right = text[at];
        static const char wrong[] = "gG-/:@`\x80 ";
        for (size_t i = 0; i < sizeof wrong; i++) { /* its NUL too */
            text[at] = wrong[i];
            if (wrong[i] != right)
                assert_false(uuid_parse((struct span){text, sizeof text - 1}, id));
        }
        text[at] = right;
    }
    assert_true(is_uuid(span_of(text)));
}

static void bytes_and_back(void **state)
{
    static const unsigned char bytes[UUID_BYTES] = {0x0f, 0x3c, 0x1a, 0x52, 0x6e, 0x1b, 0x4c, 0x8e,
                                                    0x9b, 0x5d, 0x2a, 0x7f, 0x10, 0xc4, 0xd8, 0xe6};
    unsigned char id[UUID_BYTES];
    char text[UUID_TEXT_SIZE];
    (void)state;

    assert_true(uuid_parse(span_of(TEXT), id));
    assert_memory_equal(id, bytes, sizeof id);
    assert_true(uuid_parse(span_of("0F3C1A52-6E1B-4C8E-9B5D-2A7F10C4D8E6"), id));
    assert_memory_equal(id, bytes, sizeof id);
    uuid_spell(bytes, text);
    assert_string_equal(text, TEXT);
}

static void every_byte_and_every_capital(void **state)
{
    (void)state;

    for (unsigned byte = 0; byte < 256; byte++) {
        unsigned char bytes[UUID_BYTES], id[UUID_BYTES];
        char text[UUID_TEXT_SIZE], digits[3];
        memset(bytes, (int)byte, sizeof bytes);
        uuid_spell(bytes, text);
        (void)snprintf(digits, sizeof digits, "%02x", byte);
        for (size_t at = 0; at < sizeof text - 1; at += text[at] == '-' ? 1 : 2)
            assert_true(text[at] == '-' || memcmp(text + at, digits, 2) == 0);
        assert_true(uuid_parse(span_of(text), id));
        assert_memory_equal(id, bytes, sizeof id);
        assert_true(uuid_is_lower(span_of(text)));
    }
    for (size_t at = 0; at < sizeof TEXT - 1; at++) {
        char text[] = TEXT;
        bool letter = text[at] >= 'a';
        text[at] = letter ? (char)(text[at] - 'a' + 'A') : text[at];
        assert_int_equal(uuid_is_lower(span_of(text)), !letter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_and_every_capital),
        cmocka_unit_test(texts_that_are_none),
        cmocka_unit_test(bytes_and_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
