/* See tree.c on these calls. */
#define OPENSSL_API_COMPAT 0x10100000L
#include "proxy/audit/mac.h"

#include <openssl/sha.h>
#include <string.h>

_Static_assert(MAC_STATE == sizeof(SHA256_CTX), "the state of a SHA-256");

/* A SHA-256 behind one block of the key, each byte changed by the pad. */
static void begin(unsigned char state[static MAC_STATE], struct span key, unsigned char pad)
{
    unsigned char block[SHA256_CBLOCK];
    SHA256_CTX context;

    memset(block, pad, sizeof block);
    for (size_t i = 0; i < key.length; i++)
        block[i] ^= (unsigned char)key.data[i];
    SHA256_Init(&context);
    SHA256_Update(&context, block, sizeof block);
    memcpy(state, &context, sizeof context);
    explicit_bzero(block, sizeof block);
    explicit_bzero(&context, sizeof context);
}

void mac_prepare(struct mac *mac, struct span key)
{
    begin(mac->inner, key, 0x36);
    begin(mac->outer, key, 0x5c);
}

void mac_digest(const struct mac *mac, struct span text, unsigned char digest[static DIGEST_SIZE])
{
    SHA256_CTX context;

    memcpy(&context, mac->inner, sizeof context);
    SHA256_Update(&context, text.data, text.length);
    SHA256_Final(digest, &context);
    memcpy(&context, mac->outer, sizeof context);
    SHA256_Update(&context, digest, DIGEST_SIZE);
    SHA256_Final(digest, &context);
    explicit_bzero(&context, sizeof context);
}
