/* HMAC-SHA-256 against RFC 4231's vectors, and against OpenSSL's own for every length about a block. */
#include "proxy/audit/mac.h"
#include "tests/unit/proxy/audit/support.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

static void assert_digest(struct span key, struct span text, const char *expected)
{
    unsigned char digest[DIGEST_SIZE];
    char written[DIGEST_TEXT_SIZE];
    struct mac mac;

    mac_prepare(&mac, key);
    for (int again = 0; again < 2; again++) { /* a digest leaves what is prepared as it was */
        mac_digest(&mac, text, digest);
        digest_write(digest, written);
        assert_string_equal(written + strlen("sha256:"), expected);
    }
}

static void the_standard_says_what_comes_out(void **state)
{
    char key[20], text[50];

    (void)state;
    memset(key, 0x0b, sizeof key);
    assert_digest((struct span){key, sizeof key}, span_of("Hi There"),
                  "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert_digest(span_of("Jefe"), span_of("what do ya want for nothing?"),
                  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    memset(text, 0xdd, sizeof text);
    assert_digest((struct span){key, sizeof key}, (struct span){text, sizeof text},
                  "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
}

static void each_length_is_digested_as_openssl_does(void **state)
{
    static const char key[32] = "0123456789abcdef0123456789abcde";
    unsigned char ours[DIGEST_SIZE], theirs[EVP_MAX_MD_SIZE];
    char text[200];
    struct mac mac;

    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 7);
    mac_prepare(&mac, (struct span){key, sizeof key});
    for (size_t length = 0; length <= sizeof text; length++) {
        mac_digest(&mac, (struct span){text, length}, ours);
        assert_non_null(
            HMAC(EVP_sha256(), key, sizeof key, (const unsigned char *)text, length, theirs, NULL));
        assert_memory_equal(ours, theirs, DIGEST_SIZE);
    }
    mac_digest(&mac, (struct span){NULL, 0}, ours);
    assert_non_null(HMAC(EVP_sha256(), key, sizeof key, (const unsigned char *)"", 0, theirs, NULL));
    assert_memory_equal(ours, theirs, DIGEST_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_standard_says_what_comes_out),
        cmocka_unit_test(each_length_is_digested_as_openssl_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
