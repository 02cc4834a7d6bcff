/* Whose requests may follow each other on one connection to the upstream: those of one principal, presented
 * with one credential. An upstream that says more than it was asked can then answer a later request of the
 * same owner only, never another's. */
#ifndef PROXY_UPSTREAM_OWNER_H
#define PROXY_UPSTREAM_OWNER_H

#include "policies/span.h"

#include <stdint.h>

/* A fingerprint: nothing can be told from it but whether two are the same. All zero is the owner of requests
 * that were given none. */
struct upstream_owner {
    uint64_t words[2];
};

/* 128 bits, the same for one process only. */
struct owner_key {
    uint64_t words[2];
};

/* Draws a key from the kernel; false when it gives none. */
bool owner_key_make(struct owner_key *key);

/* SipHash-2-4 with 128 bits (Aumasson, Bernstein) of the name, its length and the value of Authorization:
 * whoever does not know the key cannot make two owners meet. */
struct upstream_owner owner_of(const struct owner_key *key, struct span principal, struct span authorization);

static inline bool owner_equal(const struct upstream_owner *one, const struct upstream_owner *other)
{
    return one->words[0] == other->words[0] && one->words[1] == other->words[1];
}

#endif
