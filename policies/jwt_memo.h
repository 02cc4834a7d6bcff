/* Tokens that were found good lately, so that each is verified once and not with every request. Bounded; one
 * for each thread. What is remembered is the digest of a token, never the token. */
#ifndef POLICIES_JWT_MEMO_H
#define POLICIES_JWT_MEMO_H

#include "policies/digest.h"
#include "policies/moment.h"

#define JWT_MEMO_TOKENS 1024

struct jwt_memo;

/* By what a token was judged: it counts for nothing under another policy, or with other keys. */
struct jwt_law {
    const char *policy;        /* policy_digest() */
    const unsigned char *keys; /* jwks_digest() */
};

/* An empty memo; NULL when memory is out. */
struct jwt_memo *jwt_memo_new(void);
void jwt_memo_free(struct jwt_memo *memo);

/* Is the token with that digest (SHA-256) known to be good under this law? Then the number of its principal
 * and its time, which is for the caller to hold against the clock. */
bool jwt_memo_find(struct jwt_memo *memo, const struct jwt_law *law, const unsigned char digest[DIGEST_SIZE],
                   uint32_t *principal, struct term *term);

/* Remembers one. Where there is no room, the one that ends first is forgotten. */
void jwt_memo_keep(struct jwt_memo *memo, const struct jwt_law *law, const unsigned char digest[DIGEST_SIZE],
                   uint32_t principal, const struct term *term);

#endif
