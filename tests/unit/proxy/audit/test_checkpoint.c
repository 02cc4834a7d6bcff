#include "proxy/audit/checkpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define ROW(text)     SPAN_INIT(text)

static void checkpoints_are_read_and_written(void **state)
{
    static const struct span example = ROW("example.com/behind-the-sofa\n20852163\n"
                                           "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n");
    struct checkpoint checkpoint;
    struct text text = {0};
    char hex[TREE_HEX];
    const char *fault;

    (void)state;
    assert_true(checkpoint_read(example, &checkpoint, &fault));
    assert_true(span_is(checkpoint.origin, "example.com/behind-the-sofa"));
    assert_int_equal(checkpoint.size, 20852163);
    tree_hash_write(&checkpoint.root, hex);
    assert_string_equal(hex, "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62");
    checkpoint_write("example.com/behind-the-sofa", checkpoint.size, &checkpoint.root, &text);
    assert_true(span_equal((struct span){text.data, text.length}, example));

    text_add_string(&text, "an extension\nand another\n");
    assert_true(checkpoint_read((struct span){text.data, text.length}, &checkpoint, &fault));
    assert_int_equal(checkpoint.size, 20852163);
    text_free(&text);
}

static void what_is_no_checkpoint_is_refused(void **state)
{
#define ROOT "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "no end"},
        {"o\n", "three lines"},
        {"o\n1\n", "three lines"},
        {"o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=", "no end"},
        {"\n1\n" ROOT, "origin"},
        {"o\n\n" ROOT, "number"},
        {"o\n01\n" ROOT, "number"},
        {"o\n00\n" ROOT, "number"},
        {"o\n+1\n" ROOT, "number"},
        {"o\n-1\n" ROOT, "number"},
        {"o\n 1\n" ROOT, "number"},
        {"o\n1 \n" ROOT, "number"},
        {"o\n0x1\n" ROOT, "number"},
        {"o\n9223372036854775808\n" ROOT, "number"},
        {"o\n18446744073709551617\n" ROOT, "number"},
        {"o\n1\n\n" ROOT, "root"},
        {"o\n1\n " ROOT, "root"},
        {"o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n", "root"},
        {"o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxqw==\n", "root"},
        {"o\n1\n" ROOT "\n", "empty line"},
        {"o\n1\n" ROOT "more\n\nmore\n", "empty line"},
        {"o\r\n1\n" ROOT, "control"},
        {"\xc0\xaf\n1\n" ROOT, "UTF-8"},
    };
    static const char *const good[] = {"o\n0\n" ROOT, "o\n9223372036854775807\n" ROOT, "o o+\n1\n" ROOT};
    struct checkpoint checkpoint;
    const char *fault;

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        fault = NULL;
        assert_false(checkpoint_read(span_of(rows[i].text), &checkpoint, &fault));
        if (fault == NULL || strstr(fault, rows[i].says) == NULL)
            fail_msg("row %zu: %s", i, fault);
    }
    for (size_t i = 0; i < LENGTH(good); i++)
        assert_true(checkpoint_read(span_of(good[i]), &checkpoint, &fault));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checkpoints_are_read_and_written),
        cmocka_unit_test(what_is_no_checkpoint_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
