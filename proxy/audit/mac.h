/* HMAC-SHA-256 (RFC 2104) by a key that many texts are digested with: what depends on the key alone is done
 * once, and a digest allocates nothing. */
#ifndef PROXY_AUDIT_MAC_H
#define PROXY_AUDIT_MAC_H

#include "policies/digest.h"

#include <stdint.h>

#define MAC_STATE 112 /* bytes of a SHA-256 that is under way */

/* As secret as its key; no pointers are in it, so that it may be copied, and wiped where it stood. */
struct mac {
    _Alignas(uint64_t) unsigned char inner[MAC_STATE], outer[MAC_STATE]; /* behind the key's first block */
};

/* Prepares a key of at most 64 bytes. */
void mac_prepare(struct mac *mac, struct span key);

/* The digest of a text. */
void mac_digest(const struct mac *mac, struct span text, unsigned char digest[static DIGEST_SIZE]);

#endif
