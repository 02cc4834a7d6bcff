/* The key of the journal's HMACs: 32 random bytes in a 0600 file, made at first start, outside the journal's
 * directory. */
#ifndef PROXY_AUDIT_KEYS_H
#define PROXY_AUDIT_KEYS_H

#include "policies/text.h"

struct audit_key;

/* Reads DIR/journal-hmac.key, or makes the directory (0700) and the file (0600, O_EXCL, fsync'ed with its
 * directory). NULL with a message when it cannot be read, made, or is open to others. */
struct audit_key *audit_key_open(const char *directory, char *error, size_t error_size);
void audit_key_free(struct audit_key *key); /* wipes */

/* Appends "hmac-sha256:<key id>:<64 hex digits>" of the secret; the key id is the first 8 hex digits of the
 * key's own SHA-256. Any thread. Fits schema_mask (arg is the key). */
void audit_key_mask(void *key, struct span secret, struct text *out);

#endif
