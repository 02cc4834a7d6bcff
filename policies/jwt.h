/* OAuth access tokens that are JSON Web Tokens (RFC 7519, RFC 7515 compact form): verified against an
 * issuer's keys, as RFC 8725 says how. Pure: keys and rules in, claims out; the time is for the caller to
 * look at. */
#ifndef POLICIES_JWT_H
#define POLICIES_JWT_H

#include "policies/arena.h"
#include "policies/jwks.h"
#include "policies/moment.h"

#define JWT_LONGEST  4096 /* bytes of a token, at most */
#define JWT_LEEWAY_S 60   /* how far the issuer's clock and ours may be apart */

/* Whose tokens are taken, for whom, and which claim names who sends them. */
struct jwt_rules {
    const char *issuer, *audience, *claim;
};

struct jwt_claims {
    struct span subject; /* value of the claim that names who sends the token; in the arena */
    struct term term;    /* from "nbf" to "exp", with the leeway */
};

/* Has it the shape of such a token: three parts, the first of them that of a JSON object? */
bool jwt_is_shaped(struct span token);

/* Verifies a token. NULL when the issuer signed it, for this audience, and it can name somebody; *claims are
 * then filled, and the caller must hold claims->term against the clock. Otherwise what is wrong, for the
 * sender to read (static; nothing of the token is in it), and *claims are empty. */
const char *jwt_verify(struct span token, const struct jwks *keys, const struct jwt_rules *rules,
                       struct arena *arena, struct jwt_claims *claims);

#endif
