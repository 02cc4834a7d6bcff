#include "policies/jwt_memo.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#define WAYS 4 /* places in which a token can be */
#define SETS (JWT_MEMO_TOKENS / WAYS)

struct entry {
    unsigned char digest[DIGEST_SIZE];
    struct term term;
    uint32_t principal;
    bool used;
};

struct jwt_memo {
    char policy[DIGEST_TEXT_SIZE];
    unsigned char keys[DIGEST_SIZE];
    struct entry entries[SETS][WAYS];
};

struct jwt_memo *jwt_memo_new(void)
{
    return calloc(1, sizeof(struct jwt_memo));
}

void jwt_memo_free(struct jwt_memo *memo)
{
    free(memo);
}

/* A digest is mixed already: any bits of it choose the set. */
static struct entry *set_of(struct jwt_memo *memo, const unsigned char digest[DIGEST_SIZE])
{
    return memo->entries[(digest[0] | digest[1] << 8) % SETS];
}

static bool is_same_law(const struct jwt_memo *memo, const struct jwt_law *law)
{
    return memcmp(memo->keys, law->keys, DIGEST_SIZE) == 0 && strcmp(memo->policy, law->policy) == 0;
}

bool jwt_memo_find(struct jwt_memo *memo, const struct jwt_law *law, const unsigned char digest[DIGEST_SIZE],
                   uint32_t *principal, struct term *term)
{
    struct entry *set = set_of(memo, digest);

    for (size_t i = 0; i < WAYS && is_same_law(memo, law); i++)
        if (set[i].used && CRYPTO_memcmp(set[i].digest, digest, DIGEST_SIZE) == 0) {
            *principal = set[i].principal;
            *term = set[i].term;
            return true;
        }
    return false;
}

/* All that was judged by another law is forgotten. */
static void begin(struct jwt_memo *memo, const struct jwt_law *law)
{
    memset(memo, 0, sizeof *memo);
    memcpy(memo->keys, law->keys, DIGEST_SIZE);
    memcpy(memo->policy, law->policy, strlen(law->policy) + 1);
}

void jwt_memo_keep(struct jwt_memo *memo, const struct jwt_law *law, const unsigned char digest[DIGEST_SIZE],
                   uint32_t principal, const struct term *term)
{
    struct entry *set = set_of(memo, digest), *to = set;

    if (!is_same_law(memo, law))
        begin(memo, law);
    for (size_t i = 0; i < WAYS && to->used; i++)
        if (!set[i].used || set[i].term.not_after < to->term.not_after)
            to = &set[i];
    *to = (struct entry){.term = *term, .principal = principal, .used = true};
    memcpy(to->digest, digest, DIGEST_SIZE);
}
