/* Names in certificates: what is taken, in which form, and what is refused. */
#include "policies/certificate_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define LABEL "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" /* 63 bytes */

static void notation(void **state)
{
    static const struct {
        const char *text, *canonical; /* NULL: refused */
    } rows[] = {
        {"uri:spiffe://example/ci", "uri:spiffe://example/ci"},
        {"uri:SPIFFE://Example/CI", "uri:SPIFFE://Example/CI"},
        {"uri:urn:x", "uri:urn:x"},
        {"dns:CI.Example", "dns:ci.example"},
        {"dns:a", "dns:a"},
        {"dns:_a-b.1", "dns:_a-b.1"},
        {"dns:" LABEL "." LABEL "." LABEL ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "dns:" LABEL "." LABEL "." LABEL ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
        {"email:Ci@Example.ORG", "email:Ci@example.org"},
        {"email:a+b!c@d", "email:a+b!c@d"},
        {"", NULL},
        {"ci", NULL},
        {"dns", NULL},
        {"dns:", NULL},
        {"DNS:a", NULL},
        {"ip:127.0.0.1", NULL},
        {" dns:a", NULL},
        {"dns:a ", NULL},
        {"dns:.", NULL},
        {"dns:.a", NULL},
        {"dns:a.", NULL},
        {"dns:a..b", NULL},
        {"dns:*.a", NULL},
        {"dns:a*", NULL},
        {"dns:a/b", NULL},
        {"dns:a:1", NULL},
        {"dns:\xc3\xa4", NULL},
        {"dns:a" LABEL, NULL},
        {"dns:" LABEL "." LABEL "." LABEL ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         NULL},
        {"uri:", NULL},
        {"uri:a", NULL},
        {"uri:a:", NULL},
        {"uri::a", NULL},
        {"uri:1a:b", NULL},
        {"uri:a b:c", NULL},
        {"uri:a:b c", NULL},
        {"uri:a:b\n", NULL},
        {"uri:a:b\x7f", NULL},
        {"uri:a:\xc3\xa4", NULL},
        {"uri:/a:b", NULL},
        {"email:", NULL},
        {"email:@a", NULL},
        {"email:a@", NULL},
        {"email:a", NULL},
        {"email:a@b@c", NULL},
        {"email:a b@c", NULL},
        {"email:a@b c", NULL},
        {"email:a@*.b", NULL},
        {"email:" LABEL "aa@b", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct certificate_name name;
        const char *fault = certificate_name_read(span_of(rows[i].text), &name);
        if ((fault == NULL) != (rows[i].canonical != NULL))
            fail_msg("%s: %s", rows[i].text, fault ? fault : "was taken");
        if (fault == NULL && !span_is((struct span){name.text, name.length}, rows[i].canonical))
            fail_msg("%s became %.*s", rows[i].text, (int)name.length, name.text);
        if (fault != NULL)
            assert_int_equal(name.length, 0);
    }
}

/* Every byte in every place of each kind: nothing but visible ASCII gets through, and nothing is cut at a
 * NUL. */
static void bytes(void **state)
{
    static const struct {
        enum certificate_name_kind kind;
        const char *text;
    } rows[] = {{CERTIFICATE_URI, "spiffe://example/ci"},
                {CERTIFICATE_DNS, "ci.example"},
                {CERTIFICATE_EMAIL, "ci@example"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t at = 0; at <= strlen(rows[i].text); at++)
            for (int byte = 0; byte < 256; byte++) {
                struct certificate_name name;
                char text[64];
                size_t length = strlen(rows[i].text) + 1;
                memcpy(text, rows[i].text, at);
                text[at] = (char)byte;
                memcpy(text + at + 1, rows[i].text + at, length - 1 - at);
                const char *fault = certificate_name_make(rows[i].kind, (struct span){text, length}, &name);
                if (byte <= ' ' || byte >= 0x7f)
                    assert_non_null(fault);
                for (size_t j = 0; j < name.length; j++)
                    assert_true(name.text[j] > ' ' && name.text[j] < 0x7f);
                if (fault == NULL)
                    assert_true(name.length == length + (rows[i].kind == CERTIFICATE_EMAIL ? 6 : 4));
            }
}

static void longest(void **state)
{
    char text[CERTIFICATE_NAME_BYTES + 1];
    struct certificate_name name;
    const size_t most = CERTIFICATE_NAME_BYTES - 4;

    (void)state;
    memset(text, 'a', sizeof text);
    text[1] = ':';
    assert_null(certificate_name_make(CERTIFICATE_URI, (struct span){text, most}, &name));
    assert_int_equal(name.length, CERTIFICATE_NAME_BYTES);
    assert_non_null(certificate_name_make(CERTIFICATE_URI, (struct span){text, most + 1}, &name));
    assert_non_null(certificate_name_make(CERTIFICATE_URI, (struct span){text, SIZE_MAX}, &name));
    assert_non_null(certificate_name_make(CERTIFICATE_URI, (struct span){NULL, 0}, &name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notation),
        cmocka_unit_test(bytes),
        cmocka_unit_test(longest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
