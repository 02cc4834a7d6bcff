/* OAuth tokens: good ones of each algorithm, and every way to make a bad one that is known to have worked
 * somewhere. */
#include "tests/unit/policies/jwt_fixture.h"

static const struct jwt_rules rules = {"https://issuer.example/", "https://gate.example", "sub"};

#define ISS    "'iss':'https://issuer.example/'"
#define AUD    "'aud':'https://gate.example'"
#define EXP    "'exp':2000"
#define CLAIMS "{" ISS "," AUD "," EXP ",'nbf':1000,'sub':'ann'}"

#define RSA_HEADER "{'alg':'RS256','kid':'rsa','typ':'at+jwt'}"

enum key { KEY_RSA, KEY_EC, KEY_ED, KEY_STRANGER };

static const struct {
    const char *header, *claims;
    enum key key;
    enum signing signing;
    const char *fault; /* a part of what is said; NULL: it is good */
} rows[] = {
    {RSA_HEADER, CLAIMS, KEY_RSA, SIGNED, NULL},
    {"{'alg':'ES256','kid':'ec'}", CLAIMS, KEY_EC, SIGNED, NULL},
    {"{'alg':'EdDSA','kid':'ed','typ':'JWT'}", CLAIMS, KEY_ED, SIGNED, NULL},
    {"{'alg':'RS256','kid':'rsa','typ':'application/AT+JWT','x5t':'x','custom':[1]}", CLAIMS, KEY_RSA, SIGNED,
     NULL},

    /* no signature, or one that anybody can make */
    {"{'alg':'none','kid':'rsa'}", CLAIMS, KEY_RSA, SIGNED_NOT, "\"alg\""},
    {"{'alg':'None','kid':'rsa'}", CLAIMS, KEY_RSA, SIGNED_NOT, "\"alg\""},
    {"{'alg':'','kid':'rsa'}", CLAIMS, KEY_RSA, SIGNED_NOT, "\"alg\""},
    {"{'kid':'rsa'}", CLAIMS, KEY_RSA, SIGNED, "\"alg\""},
    {"{'alg':['RS256'],'kid':'rsa'}", CLAIMS, KEY_RSA, SIGNED, "\"alg\""},
    {"{'alg':'rs256','kid':'rsa'}", CLAIMS, KEY_RSA, SIGNED, "\"alg\""},
    {"{'alg':'HS256','kid':'rsa'}", CLAIMS, KEY_RSA, SIGNED_HMAC, "\"alg\""},
    {RSA_HEADER, CLAIMS, KEY_RSA, SIGNED_HMAC, "signature"},
    {RSA_HEADER, CLAIMS, KEY_RSA, SIGNED_NOT, "signature"},
    {RSA_HEADER, CLAIMS, KEY_RSA, SIGNED_ZERO, "signature"},
    {RSA_HEADER, CLAIMS, KEY_RSA, SIGNED_SHA1, "signature"},
    {RSA_HEADER, CLAIMS, KEY_RSA, SIGNED_PSS, "signature"},
    {RSA_HEADER, CLAIMS, KEY_RSA, SIGNED_OTHERWISE, "signature"},
    {RSA_HEADER, CLAIMS, KEY_STRANGER, SIGNED, "signature"},
    {"{'alg':'PS256','kid':'rsa'}", CLAIMS, KEY_RSA, SIGNED_PSS, "\"alg\""},
    {"{'alg':'RS384','kid':'rsa'}", CLAIMS, KEY_RSA, SIGNED, "\"alg\""},
    {"{'alg':'ES256','kid':'ec'}", CLAIMS, KEY_EC, SIGNED_ZERO, "signature"},
    {"{'alg':'ES256','kid':'ec'}", CLAIMS, KEY_EC, SIGNED_DER, "signature"},
    {"{'alg':'ES256','kid':'ec'}", CLAIMS, KEY_EC, SIGNED_NOT, "signature"},
    {"{'alg':'EdDSA','kid':'ed'}", CLAIMS, KEY_ED, SIGNED_ZERO, "signature"},
    {"{'alg':'EdDSA','kid':'ed'}", CLAIMS, KEY_ED, SIGNED_OTHERWISE, "signature"},

    /* a key for another algorithm, no key, the sender's own key */
    {"{'alg':'ES256','kid':'rsa'}", CLAIMS, KEY_EC, SIGNED, "not the one of the key"},
    {"{'alg':'RS256','kid':'ec'}", CLAIMS, KEY_RSA, SIGNED, "not the one of the key"},
    {"{'alg':'EdDSA','kid':'ec'}", CLAIMS, KEY_ED, SIGNED, "not the one of the key"},
    {"{'alg':'RS256'}", CLAIMS, KEY_RSA, SIGNED, "no \"kid\""},
    {"{'alg':'RS256','kid':''}", CLAIMS, KEY_RSA, SIGNED, "no \"kid\""},
    {"{'alg':'RS256','kid':7}", CLAIMS, KEY_RSA, SIGNED, "no \"kid\""},
    {"{'alg':'RS256','kid':'../rsa'}", CLAIMS, KEY_RSA, SIGNED, "names no key"},
    {"{'alg':'RS256','kid':'RSA'}", CLAIMS, KEY_RSA, SIGNED, "names no key"},
    {"{'alg':'RS256','kid':'mine','jwk':{'kty':'RSA'}}", CLAIMS, KEY_STRANGER, SIGNED, "names no key"},
    {"{'alg':'RS256','kid':'rsa','jku':'https://evil.example/keys','x5u':'https://evil.example/c'}", CLAIMS,
     KEY_STRANGER, SIGNED, "signature"},

    /* what cannot be understood, or differently by two readers */
    {"{'alg':'RS256','kid':'rsa','crit':['exp']}", CLAIMS, KEY_RSA, SIGNED, "\"crit\""},
    {"{'alg':'RS256','kid':'rsa','crit':[]}", CLAIMS, KEY_RSA, SIGNED, "\"crit\""},
    {"{'alg':'RS256','kid':'rsa','b64':false}", CLAIMS, KEY_RSA, SIGNED, "\"crit\""},
    {"{'alg':'none','alg':'RS256','kid':'rsa'}", CLAIMS, KEY_RSA, SIGNED, "no signed JWT"},
    {"{'alg':'RS256','kid':'rsa'} ", CLAIMS, KEY_RSA, SIGNED, NULL},
    {"{'alg':'RS256','kid':'rsa'}{}", CLAIMS, KEY_RSA, SIGNED, "no signed JWT"},
    {"{'alg':'RS256','kid':'rsa','typ':'dpop+jwt'}", CLAIMS, KEY_RSA, SIGNED, "\"typ\""},
    {"{'alg':'RS256','kid':'rsa','typ':'logout+jwt'}", CLAIMS, KEY_RSA, SIGNED, "\"typ\""},
    {"{'alg':'RS256','kid':'rsa','typ':null}", CLAIMS, KEY_RSA, SIGNED, "\"typ\""},
    {"{'alg':'RS256','kid':'rsa','x':[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}", CLAIMS, KEY_RSA, SIGNED,
     "no signed JWT"},
    {RSA_HEADER, "[]", KEY_RSA, SIGNED, "claims are not strict JSON"},
    {RSA_HEADER, "", KEY_RSA, SIGNED, "claims are not strict JSON"},
    {RSA_HEADER, "{" ISS "," AUD "," EXP ",'sub':'eve','sub':'ann'}", KEY_RSA, SIGNED,
     "claims are not strict JSON"},
    {RSA_HEADER, "{" ISS "," AUD "," EXP ",'sub':'ann\\u0000eve'}", KEY_RSA, SIGNED,
     "claims are not strict JSON"},

    /* somebody else's */
    {RSA_HEADER, "{" AUD "," EXP ",'sub':'ann'}", KEY_RSA, SIGNED, "\"iss\""},
    {RSA_HEADER, "{'iss':'https://issuer.example'," AUD "," EXP ",'sub':'ann'}", KEY_RSA, SIGNED, "\"iss\""},
    {RSA_HEADER, "{'iss':['https://issuer.example/']," AUD "," EXP ",'sub':'ann'}", KEY_RSA, SIGNED,
     "\"iss\""},
    {RSA_HEADER, "{" ISS "," EXP ",'sub':'ann'}", KEY_RSA, SIGNED, "\"aud\""},
    {RSA_HEADER, "{" ISS ",'aud':'https://gate.example.evil'," EXP ",'sub':'ann'}", KEY_RSA, SIGNED,
     "\"aud\""},
    {RSA_HEADER, "{" ISS ",'aud':[]," EXP ",'sub':'ann'}", KEY_RSA, SIGNED, "\"aud\""},
    {RSA_HEADER, "{" ISS ",'aud':['x','https://gate.example']," EXP ",'sub':'ann'}", KEY_RSA, SIGNED, NULL},
    {RSA_HEADER, "{" ISS ",'aud':['https://gate.example',1]," EXP ",'sub':'ann'}", KEY_RSA, SIGNED,
     "\"aud\""},
    {RSA_HEADER, "{" ISS ",'aud':{'https://gate.example':1}," EXP ",'sub':'ann'}", KEY_RSA, SIGNED,
     "\"aud\""},
    {RSA_HEADER, "{" ISS "," AUD "," EXP ",'sub':'ann','cnf':{'jkt':'x'}}", KEY_RSA, SIGNED, "\"cnf\""},

    /* times and subjects */
    {RSA_HEADER, "{" ISS "," AUD ",'sub':'ann'}", KEY_RSA, SIGNED, "\"exp\""},
    {RSA_HEADER, "{" ISS "," AUD ",'exp':'2000','sub':'ann'}", KEY_RSA, SIGNED, "\"exp\""},
    {RSA_HEADER, "{" ISS "," AUD ",'exp':-1,'sub':'ann'}", KEY_RSA, SIGNED, "\"exp\""},
    {RSA_HEADER, "{" ISS "," AUD ",'exp':1e300,'sub':'ann'}", KEY_RSA, SIGNED, "\"exp\""},
    {RSA_HEADER, "{" ISS "," AUD ",'exp':9223372036854775807,'sub':'ann'}", KEY_RSA, SIGNED, "\"exp\""},
    {RSA_HEADER, "{" ISS "," AUD ",'exp':1e999,'sub':'ann'}", KEY_RSA, SIGNED, "claims are not strict JSON"},
    {RSA_HEADER, "{" ISS "," AUD "," EXP ",'nbf':null,'sub':'ann'}", KEY_RSA, SIGNED, "\"nbf\""},
    {RSA_HEADER, "{" ISS "," AUD "," EXP "}", KEY_RSA, SIGNED, "lacks the claim"},
    {RSA_HEADER, "{" ISS "," AUD "," EXP ",'sub':''}", KEY_RSA, SIGNED, "lacks the claim"},
    {RSA_HEADER, "{" ISS "," AUD "," EXP ",'sub':['ann']}", KEY_RSA, SIGNED, "lacks the claim"},
};

struct world {
    struct issuer issuer;
    struct jwks *keys;
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);

    assert_non_null(world);
    world->issuer = issuer_make();
    world->keys = issuer_keys(&world->issuer);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    jwks_free(world->keys);
    issuer_free(&world->issuer);
    free(world);
    return 0;
}

static EVP_PKEY *key_of(const struct world *world, enum key key)
{
    EVP_PKEY *const keys[] = {world->issuer.rsa, world->issuer.ec, world->issuer.ed, world->issuer.stranger};

    return keys[key];
}

static const char *verify(const struct world *world, const char *token, struct jwt_claims *claims,
                          struct arena *arena)
{
    return jwt_verify(span_of(token), world->keys, &rules, arena, claims);
}

static void every_row(void **state)
{
    const struct world *world = *state;
    unsigned failed = 0;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct text token =
            token_make(rows[i].header, rows[i].claims, key_of(world, rows[i].key), rows[i].signing);
        struct jwt_claims claims;
        struct arena arena;

        arena_init(&arena);
        const char *fault = verify(world, token.data, &claims, &arena);
        if ((fault == NULL) != (rows[i].fault == NULL) ||
            (fault != NULL && strstr(fault, rows[i].fault) == NULL)) {
            print_error("%s %s: %s\n", rows[i].header, rows[i].claims, fault ? fault : "good");
            failed++;
        }
        assert_true(fault != NULL ? claims.subject.data == NULL : span_is(claims.subject, "ann"));
        arena_reset(&arena);
        text_free(&token);
    }
    assert_int_equal(failed, 0);
}

/* The bounds are those of the token, a minute wider. */
static void terms(void **state)
{
    static const struct {
        const char *times;
        int64_t not_before, not_after;
    } cases[] = {
        {"'exp':2000,'nbf':1000", 940, 2059},
        {"'exp':2000", MOMENT_FIRST, 2059},
        {"'exp':2000.5,'nbf':1000.5", 941, 2060},
        {"'exp':0,'nbf':0", -60, 59},
        {"'exp':253402300799", MOMENT_FIRST, INT64_C(253402300858)},
    };
    const struct world *world = *state;
    char text[256];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct jwt_claims claims;
        struct arena arena;

        (void)snprintf(text, sizeof text, "{" ISS "," AUD ",%s,'sub':'ann'}", cases[i].times);
        struct text token = token_make(RSA_HEADER, text, world->issuer.rsa, SIGNED);
        arena_init(&arena);
        assert_null(verify(world, token.data, &claims, &arena));
        assert_true(claims.term.not_before == cases[i].not_before);
        assert_true(claims.term.not_after == cases[i].not_after);
        arena_reset(&arena);
        text_free(&token);
    }
}

/* Of a good token no byte may be another, none may be missing and none may be added: for an RSA and an
 * Ed25519 signature there is one spelling alone. */
static void no_other_spelling(void **state)
{
    static const char bytes[] = {'A', 'z', '0', '_', '.', '=', '+', '/', ' ', '\n'};
    const struct world *world = *state;
    struct jwt_claims claims;
    struct arena arena;

    arena_init(&arena);
    struct text token = token_make("{'alg':'EdDSA','kid':'ed'}", CLAIMS, world->issuer.ed, SIGNED);
    assert_null(verify(world, token.data, &claims, &arena));
    for (size_t at = 0; at < token.length; at++) {
        char was = token.data[at];
        for (size_t i = 0; i < sizeof bytes; i++) {
            token.data[at] = bytes[i];
            assert_true((verify(world, token.data, &claims, &arena) == NULL) == (bytes[i] == was));
            arena_reset(&arena);
        }
        token.data[at] = was;
        assert_non_null(jwt_verify((struct span){token.data, at}, world->keys, &rules, &arena, &claims));
    }
    static const char *const behind[] = {"=", "A", ".", ".x", "\n"};
    for (size_t i = 0; i < sizeof behind / sizeof *behind; i++) {
        struct text longer = {0};
        text_add_format(&longer, "%s%s", token.data, behind[i]);
        assert_non_null(verify(world, longer.data, &claims, &arena));
        text_free(&longer);
    }
    text_free(&token);
    arena_reset(&arena);
}

static void length_has_a_bound(void **state)
{
    const struct world *world = *state;
    char claims_text[4096];

    for (int padding = 2500; padding <= 3200; padding += 350) {
        struct jwt_claims claims;
        struct arena arena;

        (void)snprintf(claims_text, sizeof claims_text, "{" ISS "," AUD "," EXP ",'sub':'ann','x':'%0*d'}",
                       padding, 1);
        struct text token = token_make(RSA_HEADER, claims_text, world->issuer.rsa, SIGNED);
        arena_init(&arena);
        const char *fault = verify(world, token.data, &claims, &arena);
        assert_int_equal(fault == NULL, token.length <= JWT_LONGEST);
        assert_true(fault == NULL || strstr(fault, "longer") != NULL);
        arena_reset(&arena);
        text_free(&token);
    }
}

static void shapes(void **state)
{
    (void)state;
    assert_true(jwt_is_shaped(span_of("eyJhbGciOiJub25lIn0.e30.")));
    assert_true(jwt_is_shaped(span_of("eyJ..")));
    assert_false(jwt_is_shaped(span_of("eyJ.")));
    assert_false(jwt_is_shaped(span_of("eyJ")));
    assert_false(jwt_is_shaped(span_of("")));
    assert_false(jwt_is_shaped((struct span){NULL, 0}));
    assert_false(jwt_is_shaped(span_of("eyJ.a.b.c.d")));
    assert_false(jwt_is_shaped(span_of("snyk_uat.1a2b.eyJ")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row),          cmocka_unit_test(terms),  cmocka_unit_test(no_other_spelling),
        cmocka_unit_test(length_has_a_bound), cmocka_unit_test(shapes),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
