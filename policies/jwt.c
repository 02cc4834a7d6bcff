#include "policies/jwt.h"

#include "policies/base64url.h"

#include <openssl/ecdsa.h>

#define DEPTH      16                    /* of nesting in header and claims */
#define EC_BYTES   32                    /* of each of the two numbers of an ES256 signature */
#define SECOND_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

struct parts {
    struct span header, claims, signature; /* as they stand there */
    struct span signed_text;               /* the first two, with the dot between them */
};

/* Three parts with a dot between them. */
static bool split(struct span token, struct parts *parts)
{
    struct span *const to[] = {&parts->header, &parts->claims, &parts->signature};
    size_t part = 0, start = 0;

    for (size_t i = 0; i <= token.length; i++) {
        if (i < token.length && token.data[i] != '.')
            continue;
        if (part == 3)
            return false;
        *to[part++] = (struct span){token.data + start, i - start};
        start = i + 1;
    }
    parts->signed_text = (struct span){token.data, parts->header.length + 1 + parts->claims.length};
    return part == 3;
}

bool jwt_is_shaped(struct span token)
{
    static const char object[] = "eyJ"; /* {" in base64url */
    struct parts parts;

    return token.length >= sizeof object && memcmp(token.data, object, sizeof object - 1) == 0 &&
           split(token, &parts);
}

static struct span string_member(json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);

    return (struct span){json_string_value(value), json_string_length(value)};
}

/* A part as a JSON object, read strictly: none of its members stands twice. NULL for anything else. */
static json_t *read_object(struct span part, struct arena *arena)
{
    struct json_fault fault;
    struct span json;
    json_t *value = base64url_read(part, arena, &json) ? json_read_strict(json, DEPTH, &fault) : NULL;

    if (json_is_object(value))
        return value;
    json_decref(value);
    return NULL;
}

/* ---- the header ---- */

/* Types of access tokens (RFC 9068 §2.1, RFC 7519 §5.1). A token made for something else says so here, and
 * must not pass for one (RFC 8725 §3.11). */
static bool is_access_type(json_t *header)
{
    static const char *const types[] = {"JWT", "at+jwt", "application/at+jwt"};
    struct span type = string_member(header, "typ");

    if (json_object_get(header, "typ") == NULL)
        return true;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (span_equal_nocase(type, span_of(types[i])))
            return true;
    return false;
}

/* Which key the token says that it is signed with. Keys that it brings along, or the addresses of some, are
 * not looked at; and the key, not the token, has the last word on the algorithm. */
static const char *read_header(json_t *header, const struct jwks *keys, const struct jwk **key)
{
    enum jwt_algorithm algorithm = jwt_algorithm_named(string_member(header, "alg"));
    struct span id = string_member(header, "kid");

    if (algorithm == JWT_ALGORITHMS)
        return "its header has an \"alg\" other than RS256, ES256 and EdDSA";
    if (json_object_get(header, "crit") != NULL || json_object_get(header, "b64") != NULL)
        return "its header demands an extension (\"crit\"), and none is known here";
    if (!is_access_type(header))
        return "its header has a \"typ\" that is not one of an access token (JWT, at+jwt)";
    if (id.length == 0)
        return "its header has no \"kid\" to say which key it is signed with";
    *key = jwks_find(keys, id);
    if (*key == NULL)
        return "its \"kid\" names no key that the gate has of the issuer";
    return (*key)->algorithm == algorithm ? NULL : "its \"alg\" is not the one of the key that it names";
}

/* ---- the signature ---- */

/* An ES256 signature, two numbers, in the form that OpenSSL reads (RFC 7518 §3.4). NULL for another form; its
 * length in *length. Freed with OPENSSL_free. */
static unsigned char *ec_signature(struct span raw, size_t *length)
{
    const unsigned char *bytes = (const unsigned char *)raw.data;
    unsigned char *der = NULL;

    if (raw.length != (size_t)2 * EC_BYTES)
        return NULL;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(bytes, EC_BYTES, NULL), *s = BN_bin2bn(bytes + EC_BYTES, EC_BYTES, NULL);
    if (pair != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(pair, r, s) == 1) {
        r = s = NULL; /* the pair's now */
        int written = i2d_ECDSA_SIG(pair, &der);
        *length = written > 0 ? (size_t)written : 0;
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    return der;
}

/* An RS256 key takes PKCS #1 v1.5 for its padding, which is OpenSSL's default. */
static bool is_signed(const struct jwk *key, struct span text, struct span signature)
{
    const unsigned char *bytes = (const unsigned char *)signature.data;
    size_t length = signature.length;
    unsigned char *der = key->algorithm == JWT_ES256 ? ec_signature(signature, &length) : NULL;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool right = false;

    if (key->algorithm == JWT_ES256)
        bytes = der;
    if (bytes != NULL && length > 0 && context != NULL &&
        EVP_DigestVerifyInit_ex(context, NULL, key->algorithm == JWT_EDDSA ? NULL : "SHA256", NULL, NULL,
                                key->key, NULL) == 1)
        right = EVP_DigestVerify(context, bytes, length, (const unsigned char *)text.data, text.length) == 1;
    EVP_MD_CTX_free(context);
    OPENSSL_free(der);
    return right;
}

/* ---- the claims ---- */

/* A moment as RFC 7519 §2 has it: seconds, which may have a fraction; rounded up to the next whole one. */
static bool read_moment(json_t *value, int64_t *seconds)
{
    double number = json_number_value(value);

    if (!json_is_number(value) || !(number >= 0 && number <= (double)SECOND_MAX))
        return false;
    *seconds = (int64_t)number;
    *seconds += (double)*seconds < number;
    return true;
}

static const char *read_term(json_t *claims, struct term *term)
{
    json_t *begins = json_object_get(claims, "nbf");
    int64_t moment;

    if (!read_moment(json_object_get(claims, "exp"), &moment))
        return "it has no \"exp\" to say when it ends";
    term->not_after = moment + JWT_LEEWAY_S - 1; /* at "exp" it is over */
    term->not_before = MOMENT_FIRST;
    if (begins == NULL)
        return NULL;
    if (!read_moment(begins, &moment))
        return "its \"nbf\" is no moment";
    term->not_before = moment - JWT_LEEWAY_S;
    return NULL;
}

/* One audience, or an array in which ours is. */
static bool is_for(json_t *audience, const char *ours)
{
    bool found = false;

    if (json_is_string(audience))
        return span_is((struct span){json_string_value(audience), json_string_length(audience)}, ours);
    for (size_t i = 0; i < json_array_size(audience); i++) {
        json_t *one = json_array_get(audience, i);
        if (!json_is_string(one))
            return false;
        found = found || span_is((struct span){json_string_value(one), json_string_length(one)}, ours);
    }
    return found;
}

static const char *read_claims(json_t *claims, const struct jwt_rules *rules, struct arena *arena,
                               struct jwt_claims *out)
{
    struct span subject = string_member(claims, rules->claim);

    if (!span_is(string_member(claims, "iss"), rules->issuer))
        return "its \"iss\" is not the issuer that the policy names";
    if (!is_for(json_object_get(claims, "aud"), rules->audience))
        return "its \"aud\" has not the audience that the policy names: it was made for somebody else";
    if (json_object_get(claims, "cnf") != NULL)
        return "it is bound to a key of its sender (\"cnf\"), which is not verified here";
    const char *fault = read_term(claims, &out->term);
    if (fault != NULL)
        return fault;
    if (subject.length == 0)
        return "it lacks the claim by which the policy knows who sends it";
    out->subject = arena_copy(arena, subject);
    return out->subject.data != NULL ? NULL : "memory is out";
}

const char *jwt_verify(struct span token, const struct jwks *keys, const struct jwt_rules *rules,
                       struct arena *arena, struct jwt_claims *claims)
{
    json_t *header = NULL, *body = NULL;
    const struct jwk *key = NULL;
    const char *fault = NULL;
    struct parts parts;
    struct span signature;

    *claims = (struct jwt_claims){.subject = {NULL, 0}};
    if (token.length > JWT_LONGEST)
        return "it is longer than 4096 bytes";
    if (!split(token, &parts) || (header = read_object(parts.header, arena)) == NULL)
        return "it is no signed JWT: three parts, of which the first is strict JSON in base64url";
    fault = read_header(header, keys, &key);
    if (fault == NULL &&
        !(base64url_read(parts.signature, arena, &signature) && is_signed(key, parts.signed_text, signature)))
        fault = "its signature is not one of the key that it names";
    if (fault == NULL && (body = read_object(parts.claims, arena)) == NULL)
        fault = "its claims are not strict JSON in base64url";
    if (fault == NULL)
        fault = read_claims(body, rules, arena, claims);
    json_decref(header);
    json_decref(body);
    if (fault != NULL)
        *claims = (struct jwt_claims){.subject = {NULL, 0}};
    return fault;
}
