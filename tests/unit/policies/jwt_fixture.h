/* Keys and tokens of tests: made anew by each run. JSON is written with ' for ". */
#ifndef TESTS_UNIT_POLICIES_JWT_FIXTURE_H
#define TESTS_UNIT_POLICIES_JWT_FIXTURE_H

#include "policies/jwt.h"
#include "tests/unit/policies/fixture.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

/* Keys of the issuer, and one that is nobody's. */
struct issuer {
    EVP_PKEY *rsa, *ec, *ed, *stranger;
};

static inline struct issuer issuer_make(void)
{
    struct issuer issuer = {
        .rsa = EVP_RSA_gen(2048),
        .ec = EVP_EC_gen("P-256"),
        .ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
        .stranger = EVP_RSA_gen(2048),
    };

    assert_true(issuer.rsa && issuer.ec && issuer.ed && issuer.stranger);
    return issuer;
}

static inline void issuer_free(struct issuer *issuer)
{
    EVP_PKEY_free(issuer->rsa);
    EVP_PKEY_free(issuer->ec);
    EVP_PKEY_free(issuer->ed);
    EVP_PKEY_free(issuer->stranger);
}

/* Appends the bytes in base64url. */
static inline void add_base64url(struct text *out, const void *bytes, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *from = bytes;
    unsigned held = 0, bits = 0;

    for (size_t i = 0; i < length; i++) {
        held = held << 8 | from[i];
        for (bits += 8; bits >= 6; bits -= 6)
            text_add(out, &digits[held >> (bits - 6) & 63], 1);
    }
    if (bits > 0)
        text_add(out, &digits[held << (6 - bits) & 63], 1);
}

/* Appends a member with a number of a key, as long as it is, or `least` bytes. */
static inline void add_number(struct text *out, const char *name, EVP_PKEY *key, const char *parameter,
                              int least)
{
    BIGNUM *number = NULL;
    unsigned char bytes[1024];

    assert_int_equal(EVP_PKEY_get_bn_param(key, parameter, &number), 1);
    int length = BN_num_bytes(number) > least ? BN_num_bytes(number) : least;
    assert_int_equal(BN_bn2binpad(number, bytes, length), length);
    BN_free(number);
    text_add_format(out, ",\"%s\":\"", name);
    add_base64url(out, bytes, (size_t)length);
    text_add_string(out, "\"");
}

/* Appends the public key as a JWK, with more members in `rest` ("" or ",'use':'sig'"). */
static inline void add_jwk(struct text *out, EVP_PKEY *key, const char *id, const char *rest)
{
    char *more = fixture_json(rest);
    unsigned char raw[32];
    size_t length = sizeof raw;

    if (EVP_PKEY_is_a(key, "RSA")) {
        text_add_format(out, "{\"kty\":\"RSA\",\"kid\":\"%s\"", id);
        add_number(out, "n", key, OSSL_PKEY_PARAM_RSA_N, 0);
        add_number(out, "e", key, OSSL_PKEY_PARAM_RSA_E, 0);
    } else if (EVP_PKEY_is_a(key, "EC")) {
        text_add_format(out, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"%s\"", id);
        add_number(out, "x", key, OSSL_PKEY_PARAM_EC_PUB_X, 32);
        add_number(out, "y", key, OSSL_PKEY_PARAM_EC_PUB_Y, 32);
    } else {
        assert_int_equal(EVP_PKEY_get_raw_public_key(key, raw, &length), 1);
        text_add_format(out, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"%s\",\"x\":\"", id);
        add_base64url(out, raw, length);
        text_add_string(out, "\"");
    }
    text_add_format(out, "%s}", more);
    free(more);
}

/* The issuer's keys under the names "rsa", "ec" and "ed", as its JWK Set. */
static inline struct jwks *issuer_keys(const struct issuer *issuer)
{
    struct problems problems = {0};
    struct document document;
    struct text text = {0};

    text_add_string(&text, "{\"keys\":[");
    add_jwk(&text, issuer->rsa, "rsa", ",'alg':'RS256','use':'sig'");
    text_add_string(&text, ",");
    add_jwk(&text, issuer->ec, "ec", "");
    text_add_string(&text, ",");
    add_jwk(&text, issuer->ed, "ed", ",'alg':'EdDSA'");
    text_add_string(&text, "]}");
    assert_true(document_read(&document, "keys", (struct span){text.data, text.length}, &problems));
    struct jwks *keys = jwks_read(&document, &problems);
    assert_non_null(keys);
    document_free(&document);
    text_free(&text);
    return keys;
}

/* How a token is signed. */
enum signing {
    SIGNED,          /* as its key signs */
    SIGNED_SHA1,     /* with another digest */
    SIGNED_PSS,      /* with another padding */
    SIGNED_DER,      /* an ES256 signature in OpenSSL's form */
    SIGNED_HMAC,     /* HS256, the public key in PEM as the secret */
    SIGNED_ZERO,     /* 64 zeros: r and s of a "psychic" signature */
    SIGNED_NOT,      /* an empty signature */
    SIGNED_OTHERWISE /* another text was signed */
};

static inline void sign_hmac(EVP_PKEY *key, const struct text *text, unsigned char *out, size_t *length)
{
    BIO *memory = BIO_new(BIO_s_mem());
    unsigned size = 0;
    char *pem;

    assert_int_equal(PEM_write_bio_PUBKEY(memory, key), 1);
    long pem_length = BIO_get_mem_data(memory, &pem);
    assert_non_null(HMAC(EVP_sha256(), pem, (int)pem_length, (const unsigned char *)text->data, text->length,
                         out, &size));
    *length = size;
    BIO_free(memory);
}

/* From OpenSSL's form of an ECDSA signature to that of a JWS. */
static inline void unpack_ec(unsigned char *signature, size_t *length)
{
    const unsigned char *at = signature;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)*length);

    assert_non_null(pair);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, 32), 32);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + 32, 32), 32);
    ECDSA_SIG_free(pair);
    *length = 64;
}

static inline void sign_with_key(EVP_PKEY *key, enum signing signing, const struct text *text,
                                 unsigned char *out, size_t *length)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *how = NULL;
    const char *digest = EVP_PKEY_is_a(key, "ED25519") ? NULL : signing == SIGNED_SHA1 ? "SHA1" : "SHA256";
    size_t signed_length = text->length - (signing == SIGNED_OTHERWISE);

    assert_int_equal(EVP_DigestSignInit_ex(context, &how, digest, NULL, NULL, key, NULL), 1);
    if (signing == SIGNED_PSS)
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING), 1);
    assert_int_equal(EVP_DigestSign(context, out, length, (const unsigned char *)text->data, signed_length),
                     1);
    EVP_MD_CTX_free(context);
    if (EVP_PKEY_is_a(key, "EC") && signing != SIGNED_DER)
        unpack_ec(out, length);
}

/* A token of that header and those claims; text_free afterwards. */
static inline struct text token_make(const char *header, const char *claims, EVP_PKEY *key,
                                     enum signing signing)
{
    char *first = fixture_json(header), *second = fixture_json(claims);
    unsigned char signature[1024] = {0};
    size_t length = sizeof signature;
    struct text token = {0};

    add_base64url(&token, first, strlen(first));
    text_add_string(&token, ".");
    add_base64url(&token, second, strlen(second));
    if (signing == SIGNED_HMAC)
        sign_hmac(key, &token, signature, &length);
    else if (signing == SIGNED_NOT || signing == SIGNED_ZERO)
        length = signing == SIGNED_NOT ? 0 : 64;
    else
        sign_with_key(key, signing, &token, signature, &length);
    text_add_string(&token, ".");
    add_base64url(&token, signature, length);
    free(first);
    free(second);
    return token;
}

#endif
