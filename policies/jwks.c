#include "policies/jwks.h"

#include "policies/arena.h"
#include "policies/base64url.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <stdio.h>
#include <stdlib.h>

#define RSA_BITS_LEAST 2048
#define RSA_BITS_MOST  4096 /* a signature that takes longer to verify helps who sends many */
#define EC_BYTES       32   /* a coordinate of P-256 */
#define POINTER_ROOM   32

struct jwks {
    unsigned char digest[DIGEST_SIZE];
    struct arena texts;
    size_t count;
    struct jwk keys[JWKS_KEYS];
};

/* A key that is being read. */
struct reading {
    const struct document *document;
    struct problems *problems;
    json_t *value;
    char pointer[POINTER_ROOM];
    struct arena scratch;
};

static const char *const algorithm_names[JWT_ALGORITHMS] = {
    [JWT_RS256] = "RS256",
    [JWT_ES256] = "ES256",
    [JWT_EDDSA] = "EdDSA",
};

enum jwt_algorithm jwt_algorithm_named(struct span name)
{
    for (enum jwt_algorithm at = 0; at < JWT_ALGORITHMS; at++)
        if (span_is(name, algorithm_names[at]))
            return at;
    return JWT_ALGORITHMS;
}

static struct span member(const struct reading *reading, const char *name)
{
    json_t *value = json_object_get(reading->value, name);

    return (struct span){json_string_value(value), json_string_length(value)};
}

/* ---- from numbers to a key ---- */

/* Makes a public key of the parameters, which are dropped. NULL when OpenSSL refuses them. */
static EVP_PKEY *make_key(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    if (params == NULL || context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    return key;
}

/* Is it a point of the curve, a number in its bounds? */
static bool is_sound(EVP_PKEY *key)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    bool sound = context != NULL && EVP_PKEY_public_check(context) == 1;

    EVP_PKEY_CTX_free(context);
    return sound;
}

static const unsigned char *bytes_of(struct span span)
{
    return (const unsigned char *)span.data;
}

static EVP_PKEY *read_rsa(struct reading *reading, const char **fault)
{
    struct span n, e;

    *fault = "has no \"n\" and \"e\" of an RSA key of 2048 to 4096 bits";
    if (!base64url_read(member(reading, "n"), &reading->scratch, &n) ||
        !base64url_read(member(reading, "e"), &reading->scratch, &e) || n.length > RSA_BITS_MOST / 8 ||
        e.length == 0 || e.length > 4)
        return NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    BIGNUM *modulus = BN_bin2bn(bytes_of(n), (int)n.length, NULL);
    BIGNUM *exponent = BN_bin2bn(bytes_of(e), (int)e.length, NULL);
    EVP_PKEY *key = NULL;

    if (builder != NULL && modulus != NULL && exponent != NULL && BN_num_bits(modulus) >= RSA_BITS_LEAST &&
        BN_is_odd(exponent) && BN_num_bits(exponent) > 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
        key = make_key("RSA", OSSL_PARAM_BLD_to_param(builder));
    BN_free(modulus);
    BN_free(exponent);
    OSSL_PARAM_BLD_free(builder);
    return key;
}

static EVP_PKEY *read_ec(struct reading *reading, const char **fault)
{
    unsigned char point[1 + 2 * EC_BYTES] = {POINT_CONVERSION_UNCOMPRESSED};
    struct span x, y;

    *fault = "has no \"x\" and \"y\" of a point of P-256";
    if (!base64url_read(member(reading, "x"), &reading->scratch, &x) ||
        !base64url_read(member(reading, "y"), &reading->scratch, &y) || x.length != EC_BYTES ||
        y.length != EC_BYTES)
        return NULL;
    memcpy(point + 1, x.data, EC_BYTES);
    memcpy(point + 1 + EC_BYTES, y.data, EC_BYTES);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;

    if (builder != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) == 1)
        key = make_key("EC", OSSL_PARAM_BLD_to_param(builder));
    OSSL_PARAM_BLD_free(builder);
    if (key == NULL || is_sound(key))
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

static EVP_PKEY *read_okp(struct reading *reading, const char **fault)
{
    struct span x;

    *fault = "has no \"x\" of an Ed25519 key";
    if (!base64url_read(member(reading, "x"), &reading->scratch, &x) || x.length != 32)
        return NULL;
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes_of(x), x.length);
}

/* What a kind of key is for here. A row without reader is for something else. */
static const struct kind {
    const char *type, *curve; /* "kty", and "crv" where there are several */
    enum jwt_algorithm algorithm;
    EVP_PKEY *(*read)(struct reading *reading, const char **fault);
} kinds[] = {
    {"RSA", NULL, JWT_RS256, read_rsa},
    {"EC", "P-256", JWT_ES256, read_ec},
    {"OKP", "Ed25519", JWT_EDDSA, read_okp},
};

/* ---- from a document to keys ---- */

static void note(struct reading *reading, enum severity severity, const char *what)
{
    problems_add(reading->problems, severity, reading->document, reading->pointer, "%s", what);
}

/* The kind of the key; NULL when it is for something else than what is verified here. */
static const struct kind *kind_of(const struct reading *reading)
{
    struct span algorithm = member(reading, "alg"), use = member(reading, "use");

    if (json_object_get(reading->value, "use") != NULL && !span_is(use, "sig"))
        return NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!span_is(member(reading, "kty"), kinds[i].type) ||
            (kinds[i].curve != NULL && !span_is(member(reading, "crv"), kinds[i].curve)))
            continue;
        bool any = json_object_get(reading->value, "alg") == NULL;
        return any || span_is(algorithm, algorithm_names[kinds[i].algorithm]) ? &kinds[i] : NULL;
    }
    return NULL;
}

/* What nobody may have put into this file, or NULL. */
static const char *secret_fault_of(const struct reading *reading)
{
    if (span_is(member(reading, "kty"), "oct"))
        return "is a symmetric key: whoever can verify with it can sign, too; only public keys belong here";
    if (json_object_get(reading->value, "d") != NULL)
        return "is a private key: whoever reads this file can sign with it; only public keys belong here";
    return NULL;
}

static void keep(struct reading *reading, struct jwks *keys, const struct kind *kind)
{
    struct span id = member(reading, "kid");
    const char *fault = NULL;

    if (id.length == 0 || id.length > JWKS_NAME)
        fault = "has no \"kid\" of up to 256 bytes: a token says by it which key it is signed with";
    else if (jwks_find(keys, id) != NULL)
        fault = "has the \"kid\" of another key of this set";
    EVP_PKEY *key = fault == NULL ? kind->read(reading, &fault) : NULL;
    if (key == NULL) {
        note(reading, SEVERITY_ERROR, fault);
        return;
    }
    struct jwk *kept = &keys->keys[keys->count];
    *kept = (struct jwk){arena_copy(&keys->texts, id), kind->algorithm, key};
    if (kept->id.data != NULL) {
        keys->count++;
        return;
    }
    EVP_PKEY_free(key);
    note(reading, SEVERITY_ERROR, "memory is out");
}

static void read_key(struct reading *reading, struct jwks *keys)
{
    const char *fault = json_is_object(reading->value) ? secret_fault_of(reading) : "must be an object";

    if (fault != NULL) {
        note(reading, SEVERITY_ERROR, fault);
        return;
    }
    const struct kind *kind = kind_of(reading);
    if (kind == NULL)
        note(reading, SEVERITY_WARNING,
             "is passed over: it is not for signatures of RS256, ES256 or EdDSA (Ed25519)");
    else
        keep(reading, keys, kind);
}

struct jwks *jwks_read(const struct document *document, struct problems *problems)
{
    json_t *list = json_object_get(document->root, "keys");
    struct jwks *keys = calloc(1, sizeof *keys);
    struct reading reading = {.document = document, .problems = problems, .pointer = "/keys"};
    size_t errors = problems->errors;

    if (keys == NULL) {
        problems_add(problems, SEVERITY_ERROR, document, "", "memory is out");
        return NULL;
    }
    arena_init(&keys->texts);
    digest_of((struct span){document->text, document->length}, keys->digest);
    if (!json_is_array(list) || json_array_size(list) > JWKS_KEYS)
        note(&reading, SEVERITY_ERROR, "must be an array of 1 to 64 keys (a JWK Set, RFC 7517)");
    for (size_t i = 0; problems->errors == errors && i < json_array_size(list); i++) {
        reading.value = json_array_get(list, i);
        (void)snprintf(reading.pointer, sizeof reading.pointer, "/keys/%zu", i);
        arena_init(&reading.scratch);
        read_key(&reading, keys);
        arena_reset(&reading.scratch);
    }
    (void)snprintf(reading.pointer, sizeof reading.pointer, "/keys");
    if (problems->errors == errors && keys->count == 0)
        note(&reading, SEVERITY_ERROR, "has no key that tokens can be verified with");
    if (problems->errors == errors)
        return keys;
    jwks_free(keys);
    return NULL;
}

void jwks_free(struct jwks *keys)
{
    if (keys == NULL)
        return;
    for (size_t i = 0; i < keys->count; i++)
        EVP_PKEY_free(keys->keys[i].key);
    arena_reset(&keys->texts);
    free(keys);
}

const struct jwk *jwks_find(const struct jwks *keys, struct span id)
{
    for (size_t i = 0; i < keys->count; i++)
        if (span_equal(keys->keys[i].id, id))
            return &keys->keys[i];
    return NULL;
}

const unsigned char *jwks_digest(const struct jwks *keys)
{
    return keys->digest;
}
