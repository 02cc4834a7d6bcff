/* OAuth tokens and key sets. Nobody can forge a signature, so the only tokens that may be found good are
 * those that the keys signed: their claims name "fuzz", and end when they do. The private halves of the keys
 * in jwt.jwks.json were thrown away. */
#include "policies/jwt.h"
#include "tests/fuzz/fuzz.h"

#define EXPIRES INT64_C(4102444800)

static const struct jwt_rules rules = {"https://issuer.fuzz/", "fuzz", "sub"};
static struct jwks *keys;

static struct jwks *read_set(struct span text)
{
    struct problems problems = {0};
    struct document document;
    struct jwks *set = NULL;

    if (document_read(&document, "keys", text, &problems))
        set = jwks_read(&document, &problems);
    FUZZ_CHECK((set == NULL) == (problems.errors > 0));
    document_free(&document);
    problems_free(&problems);
    return set;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct text text = fuzz_file("tests/fuzz/jwt.jwks.json");

    (void)argc, (void)argv;
    keys = read_set(fuzz_of(&text));
    FUZZ_CHECK(keys != NULL);
    text_free(&text);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span token = fuzz_span(data, size);
    struct jwt_claims claims;
    struct arena arena;

    arena_init(&arena);
    if (jwt_verify(token, keys, &rules, &arena, &claims) == NULL) {
        FUZZ_CHECK(jwt_is_shaped(token) && token.length <= JWT_LONGEST);
        FUZZ_CHECK(span_is(claims.subject, "fuzz"));
        FUZZ_CHECK(claims.term.not_after == EXPIRES + JWT_LEEWAY_S - 1);
    } else {
        FUZZ_CHECK(claims.subject.data == NULL);
    }
    arena_reset(&arena);
    jwks_free(read_set(token));
    return 0;
}
