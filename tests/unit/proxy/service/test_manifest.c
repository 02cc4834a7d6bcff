#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/service/manifest.h"
#include "tests/unit/proxy/folder.h"

#define A     "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B     "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define TITLE "portcullis manifest 1\n"

static void is_read_as_it_was_written(void **state)
{
    struct manifest manifest = {.serial = MANIFEST_SERIAL_MOST, .policy = A, .contract = B}, again;
    struct text text = {0};
    const char *fault;

    (void)state;
    manifest_write(&manifest, &text);
    assert_string_equal(text.data, TITLE "serial 9007199254740991\npolicy " A "\ncontract " B "\n");
    assert_true(manifest_read((struct span){text.data, text.length}, &again, &fault));
    assert_int_equal(again.serial, manifest.serial);
    assert_string_equal(again.policy, A);
    assert_string_equal(again.contract, B);
    assert_string_equal(again.oauth_keys, "");
    (void)strcpy(manifest.oauth_keys, A);
    text_clear(&text);
    manifest_write(&manifest, &text);
    assert_non_null(strstr(text.data, "contract " B "\noauth-keys " A "\n"));
    assert_true(manifest_read((struct span){text.data, text.length}, &again, &fault));
    assert_string_equal(again.oauth_keys, A);
    text_free(&text);
}

static void what_is_no_manifest_is_refused(void **state)
{
#define REST "policy " A "\ncontract " B "\n"
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "first line"},
        {"portcullis manifest 2\nserial 1\n" REST, "first line"},
        {"\n" TITLE "serial 1\n" REST, "first line"},
        {TITLE, "second line"},
        {TITLE "serial 0\n" REST, "second line"},
        {TITLE "serial 01\n" REST, "second line"},
        {TITLE "serial -1\n" REST, "second line"},
        {TITLE "serial +1\n" REST, "second line"},
        {TITLE "serial  1\n" REST, "second line"},
        {TITLE "serial 1 \n" REST, "second line"},
        {TITLE "serial 9007199254740992\n" REST, "second line"},
        {TITLE "serial 18446744073709551617\n" REST, "second line"},
        {TITLE "serial 1\r\n" REST, "second line"},
        {TITLE "Serial 1\n" REST, "second line"},
        {TITLE "serial 1\ncontract " A "\npolicy " B "\n", "third line"},
        {TITLE "serial 1\npolicy sha256:AAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
               "contract " B "\n",
         "third line"},
        {TITLE "serial 1\npolicy " A "a\ncontract " B "\n", "third line"},
        {TITLE "serial 1\npolicy " A "\n", "fourth line"},
        {TITLE "serial 1\npolicy " A "\ncontract " B, "fourth line"},
        {TITLE "serial 1\n" REST "\n", "fifth line"},
        {TITLE "serial 1\n" REST "expires never\n", "fifth line"},
        {TITLE "serial 1\n" REST "oauth-keys none\n", "fifth line"},
        {TITLE "serial 1\n" REST "oauth-keys " A "\nexpires never\n", "more lines"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct manifest manifest;
        const char *fault = NULL;
        assert_false(manifest_read(span_of(rows[i].text), &manifest, &fault));
        if (fault == NULL || strstr(fault, rows[i].says) == NULL)
            fail_msg("row %zu: %s", i, fault);
    }
}

static void a_digest_is_of_the_bytes(void **state)
{
    char digest[DIGEST_TEXT_SIZE];

    (void)state;
    manifest_digest(SPAN("abc"), digest);
    assert_string_equal(digest, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_read_as_it_was_written),
        cmocka_unit_test(what_is_no_manifest_is_refused),
        cmocka_unit_test(a_digest_is_of_the_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
