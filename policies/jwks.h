/* A JSON Web Key Set (RFC 7517): the public keys by which an issuer's tokens are verified. Immutable once
 * read; used by several threads at a time. */
#ifndef POLICIES_JWKS_H
#define POLICIES_JWKS_H

#include "policies/digest.h"
#include "policies/document.h"

#include <openssl/evp.h>

#define JWKS_KEYS  64  /* in a set, at most */
#define JWKS_NAME  256 /* bytes of a key's name, at most */
#define JWKS_BYTES ((size_t)256 * 1024)

/* The algorithms of signatures that are taken (RFC 7518 §3, RFC 8037). */
enum jwt_algorithm {
    JWT_RS256, /* RSASSA-PKCS1-v1_5 with SHA-256, keys of 2048 to 4096 bits */
    JWT_ES256, /* ECDSA with P-256 and SHA-256 */
    JWT_EDDSA, /* Ed25519 */
    JWT_ALGORITHMS
};

struct jwk {
    struct span id; /* "kid" */
    enum jwt_algorithm algorithm;
    EVP_PKEY *key;
};

struct jwks;

/* Reads a set. A key for something else than signatures of these algorithms is passed over, with a warning. A
 * private or symmetric key, one without name, two of one name, or no key that is left are errors. NULL with
 * errors, all of which are in `problems`. Freed with jwks_free. */
struct jwks *jwks_read(const struct document *document, struct problems *problems);
void jwks_free(struct jwks *keys);

/* The key of that name; NULL without one. */
const struct jwk *jwks_find(const struct jwks *keys, struct span id);

/* SHA-256 of the document. */
const unsigned char *jwks_digest(const struct jwks *keys);

/* The algorithm of that name ("RS256", …); JWT_ALGORITHMS for any other. */
enum jwt_algorithm jwt_algorithm_named(struct span name);

#endif
