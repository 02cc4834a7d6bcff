/* Key sets: which keys are taken, which are passed over, and which make the whole set wrong. And the memory
 * of tokens that were good. */
#include "policies/jwt_memo.h"
#include "tests/unit/policies/jwt_fixture.h"

#define X32 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define ED  "{'kty':'OKP','crv':'Ed25519','kid':'ed','x':'11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'}"

static const struct {
    const char *set, *said; /* a part of it; "" for nothing */
    bool right;
} rows[] = {
    {"{'keys':[" ED "]}", "", true},
    {"{'keys':[" ED ",{'kty':'RSA','kid':'x','use':'enc'}]}", "is passed over", true},
    {"{'keys':[" ED ",{'kty':'RSA','kid':'x','alg':'PS256'}]}", "is passed over", true},
    {"{'keys':[" ED ",{'kty':'EC','crv':'P-384','kid':'x'}]}", "is passed over", true},
    {"{'keys':[" ED ",{'kty':'OKP','crv':'X25519','kid':'x'}]}", "is passed over", true},
    {"{}", "must be an array", false},
    {"{'keys':{}}", "must be an array", false},
    {"{'keys':[]}", "has no key", false},
    {"{'keys':[{'kty':'RSA','use':'enc'}]}", "has no key", false},
    {"{'keys':[1]}", "must be an object", false},
    {"{'keys':[" ED "," ED "]}", "\"kid\" of another key", false},
    {"{'keys':[{'kty':'oct','kid':'x','k':'c2VjcmV0'}]}", "is a symmetric key", false},
    {"{'keys':[{'kty':'OKP','crv':'Ed25519','kid':'x','x':'" X32 "','d':'" X32 "'}]}", "is a private key",
     false},
    {"{'keys':[{'kty':'OKP','crv':'Ed25519','x':'" X32 "'}]}", "has no \"kid\"", false},
    {"{'keys':[{'kty':'OKP','crv':'Ed25519','kid':'','x':'" X32 "'}]}", "has no \"kid\"", false},
    {"{'keys':[{'kty':'OKP','crv':'Ed25519','kid':'x','x':'AAAA'}]}", "Ed25519 key", false},
    {"{'keys':[{'kty':'OKP','crv':'Ed25519','kid':'x','x':'" X32 "='}]}", "Ed25519 key", false},
    {"{'keys':[{'kty':'EC','crv':'P-256','kid':'x','x':'" X32 "','y':'" X32 "'}]}", "point of P-256", false},
    {"{'keys':[{'kty':'EC','crv':'P-256','kid':'x','x':'AAAA','y':'AAAA'}]}", "point of P-256", false},
    {"{'keys':[{'kty':'RSA','kid':'x','n':'" X32 "','e':'AQAB'}]}", "RSA key", false},
    {"{'keys':[{'kty':'RSA','kid':'x'}]}", "RSA key", false},
};

static struct jwks *read_set(const char *set, struct problems *problems)
{
    struct document document = fixture_document(set);
    struct jwks *keys = jwks_read(&document, problems);

    document_free(&document);
    return keys;
}

static void every_set(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct problems problems = {0};
        struct jwks *keys = read_set(rows[i].set, &problems);
        const char *said = problems.count > 0 ? problems.items[problems.count - 1].message : "";

        if ((keys != NULL) != rows[i].right || strstr(said, rows[i].said) == NULL ||
            (rows[i].said[0] == '\0') != (said[0] == '\0'))
            fail_msg("%s: %s", rows[i].set, said);
        assert_true(keys == NULL || jwks_find(keys, span_of("ed")) != NULL);
        assert_true(keys == NULL || jwks_find(keys, span_of("x")) == NULL);
        jwks_free(keys);
        problems_free(&problems);
    }
}

/* Lengths of RSA keys that are taken. */
static void rsa_lengths(void **state)
{
    static const struct {
        size_t bits;
        bool right;
    } lengths[] = {{1024, false}, {2040, false}, {2048, true}};

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct problems problems = {0};
        EVP_PKEY *key = EVP_RSA_gen(lengths[i].bits);
        struct text text = {0};

        text_add_string(&text, "{\"keys\":[");
        add_jwk(&text, key, "rsa", "");
        text_add_string(&text, "]}");
        struct jwks *keys = read_set(text.data, &problems);
        assert_int_equal(keys != NULL, lengths[i].right);
        jwks_free(keys);
        problems_free(&problems);
        text_free(&text);
        EVP_PKEY_free(key);
    }
}

static void a_memo_remembers_under_its_law_alone(void **state)
{
    const unsigned char keys[DIGEST_SIZE] = {1}, other_keys[DIGEST_SIZE] = {2}, token[DIGEST_SIZE] = {3};
    const struct jwt_law law = {"sha256:one", keys}, policy = {"sha256:two", keys},
                         set = {"sha256:one", other_keys};
    const struct term term = {10, 20};
    struct jwt_memo *memo = jwt_memo_new();
    uint32_t principal;
    struct term found;

    (void)state;
    assert_non_null(memo);
    assert_false(jwt_memo_find(memo, &law, token, &principal, &found));
    jwt_memo_keep(memo, &law, token, 7, &term);
    assert_true(jwt_memo_find(memo, &law, token, &principal, &found));
    assert_int_equal(principal, 7);
    assert_true(found.not_before == 10 && found.not_after == 20);
    assert_false(jwt_memo_find(memo, &policy, token, &principal, &found));
    assert_false(jwt_memo_find(memo, &set, token, &principal, &found));
    assert_false(jwt_memo_find(memo, &law, other_keys, &principal, &found));
    jwt_memo_keep(memo, &set, other_keys, 8, &term);
    assert_false(jwt_memo_find(memo, &law, token, &principal, &found));
    assert_false(jwt_memo_find(memo, &set, token, &principal, &found));
    jwt_memo_free(memo);
}

/* However many are kept: the last one is there, and none is taken for another. */
static void a_memo_has_a_bound(void **state)
{
    const unsigned char keys[DIGEST_SIZE] = {1};
    const struct jwt_law law = {"sha256:one", keys};
    struct jwt_memo *memo = jwt_memo_new();
    unsigned char token[DIGEST_SIZE];
    uint32_t principal, known = 0;
    struct term term;

    (void)state;
    for (uint32_t i = 0; i < 10 * JWT_MEMO_TOKENS; i++) {
        digest_of((struct span){(const char *)&i, sizeof i}, token);
        jwt_memo_keep(memo, &law, token, i, &(struct term){0, i});
        assert_true(jwt_memo_find(memo, &law, token, &principal, &term));
        assert_int_equal(principal, i);
    }
    for (uint32_t i = 0; i < 10 * JWT_MEMO_TOKENS; i++) {
        digest_of((struct span){(const char *)&i, sizeof i}, token);
        if (!jwt_memo_find(memo, &law, token, &principal, &term))
            continue;
        assert_int_equal(principal, i);
        known++;
    }
    assert_int_equal(known, JWT_MEMO_TOKENS);
    jwt_memo_free(memo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_set),
        cmocka_unit_test(rsa_lengths),
        cmocka_unit_test(a_memo_remembers_under_its_law_alone),
        cmocka_unit_test(a_memo_has_a_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
