#include "proxy/note/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* RFC 4648 §10, and every digit. */
static void spells_as_the_rfc(void **state)
{
    static const struct {
        struct span bytes;
        const char *spelt;
    } rows[] = {
        {{"", 0}, ""},
        {{"f", 1}, "Zg=="},
        {{"fo", 2}, "Zm8="},
        {{"foo", 3}, "Zm9v"},
        {{"foob", 4}, "Zm9vYg=="},
        {{"fooba", 5}, "Zm9vYmE="},
        {{"foobar", 6}, "Zm9vYmFy"},
        {{"\0\0\0", 3}, "AAAA"},
        {{"\xff\xff", 2}, "//8="},
        {{"\0\x10\x83\x10\x51\x87\x20\x92\x8b\x30\xd3\x8f\x41\x14\x93\x51\x55\x97\x61\x96\x9b\x71\xd7\x9f\x82"
          "\x18\xa3\x92\x59\xa7\xa2\x9a\xab\xb2\xdb\xaf\xc3\x1c\xb3\xd3\x5d\xb7\xe3\x9e\xbb\xf3\xdf\xbf",
          48},
         "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"},
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct text text = {0};
        unsigned char bytes[48];
        size_t length;

        base64_write((const unsigned char *)rows[i].bytes.data, rows[i].bytes.length, &text);
        assert_true(span_is((struct span){text.data, text.length}, rows[i].spelt));
        text_free(&text);
        assert_true(base64_length(span_of(rows[i].spelt), &length));
        assert_int_equal(length, rows[i].bytes.length);
        assert_true(base64_read(span_of(rows[i].spelt), bytes, length));
        assert_memory_equal(bytes, rows[i].bytes.data, length);
        assert_false(base64_read(span_of(rows[i].spelt), bytes, length + 1));
        if (length > 0)
            assert_false(base64_read(span_of(rows[i].spelt), bytes, length - 1));
    }
}

static void reads_only_what_it_would_write(void **state)
{
    static const struct span rows[] = {
        {"Z", 1},       {"Zg", 2},      {"Zg=", 3},      {"Zm9", 3},      {"Zh==", 4},
        {"Zk==", 4},    {"Zv==", 4},    {"Zm9=", 4}, /* bits that belong to no byte */
        {"=", 1},       {"==", 2},      {"====", 4},     {"A===", 4},     {"Zg==Zg==", 8},
        {"Zg==\n", 5},  {" Zg==", 5},   {"Zg= ", 4},     {"Zm9v\n", 5},   {"Zm\n9", 4},
        {"Zm8=Zm8", 7}, {"Z=8=", 4},    {"Zm8-", 4},     {"Zm8_", 4},     {"Zm8\0", 4},
        {"Zm8\x80", 4}, {"Zm8\xff", 4}, {"Zg======", 8}, {"Zm9v====", 8}, {"Zm9v=", 5},
    };
    unsigned char bytes[8];
    size_t length;

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        assert_false(base64_length(rows[i], &length));
        for (size_t wanted = 0; wanted < sizeof bytes; wanted++)
            assert_false(base64_read(rows[i], bytes, wanted));
    }
}

/* Whatever four bytes are read are what writing gives: 65^4 would be too many, so every pair at each place.
 */
static void no_group_has_two_spellings(void **state)
{
    static const char some[] = "AQgwZz/+8=";
    char group[4];
    unsigned char bytes[3];
    size_t length, good = 0;

    (void)state;
    for (unsigned i = 0; i < 256 * 256; i++)
        for (unsigned place = 0; place < 3; place++) {
            memset(group, some[i % (sizeof some - 1)], sizeof group);
            group[place] = (char)(i >> 8);
            group[place + 1] = (char)i;
            if (!base64_length((struct span){group, 4}, &length))
                continue;

            struct text text = {0};
            assert_true(base64_read((struct span){group, 4}, bytes, length));
            base64_write(bytes, length, &text);
            assert_true(span_equal((struct span){text.data, text.length}, (struct span){group, 4}));
            text_free(&text);
            good++;
        }
    assert_true(good > 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spells_as_the_rfc),
        cmocka_unit_test(reads_only_what_it_would_write),
        cmocka_unit_test(no_group_has_two_spellings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
