#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proxy/upstream/owner.h"

#include <openssl/evp.h>

/* OpenSSL's SipHash of the same bytes. */
static struct upstream_owner by_openssl(const struct owner_key *key, const unsigned char *bytes,
                                        size_t length)
{
    static const unsigned char empty[1];
    struct upstream_owner owner;
    size_t size = sizeof owner;
    EVP_PKEY *secret =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_SIPHASH, NULL, (const unsigned char *)key, sizeof *key);
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    assert_non_null(secret);
    assert_int_equal(EVP_DigestSignInit(context, NULL, NULL, NULL, secret), 1);
    assert_int_equal(EVP_DigestSignUpdate(context, length > 0 ? bytes : empty, length), 1);
    assert_int_equal(EVP_DigestSignFinal(context, (unsigned char *)&owner, &size), 1);
    assert_int_equal(size, sizeof owner);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(secret);
    return owner;
}

/* All lengths of both parts, so that every way of filling a word is there. */
static void is_siphash(void **state)
{
    struct owner_key key;
    unsigned char bytes[8 + 64];

    (void)state;
    assert_true(owner_key_make(&key));
    for (size_t name = 0; name <= 20; name++) {
        for (size_t value = 0; value <= 20; value++) {
            const uint64_t length = name;
            memcpy(bytes, &length, sizeof length);
            for (size_t i = 0; i < name + value; i++)
                bytes[8 + i] = (unsigned char)(i * 37 + 200);
            const char *text = (const char *)bytes + 8;
            struct upstream_owner mine =
                owner_of(&key, (struct span){text, name}, (struct span){text + name, value});
            struct upstream_owner theirs = by_openssl(&key, bytes, 8 + name + value);
            assert_memory_equal(&mine, &theirs, sizeof mine);
        }
    }
}

static void tells_owners_apart(void **state)
{
    static const struct {
        const char *name, *value;
    } rows[] = {{"ci", "Token a"}, {"ci", "Token b"}, {"ciT", "oken a"}, {"", "ciToken a"},
                {"cd", "Token a"}, {"ci", ""},        {"", ""}};
    struct owner_key key, other;

    (void)state;
    assert_true(owner_key_make(&key));
    assert_true(owner_key_make(&other));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct upstream_owner one = owner_of(&key, span_of(rows[i].name), span_of(rows[i].value));
        struct upstream_owner elsewhere = owner_of(&other, span_of(rows[i].name), span_of(rows[i].value));
        assert_false(owner_equal(&one, &elsewhere));
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
            struct upstream_owner two = owner_of(&key, span_of(rows[k].name), span_of(rows[k].value));
            assert_int_equal(owner_equal(&one, &two), i == k);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_siphash),
        cmocka_unit_test(tells_owners_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
