/* The keys of the journal's masks: 32 random bytes each, in 0600 files of a directory outside the journal's.
 *
 * journal-hmac.key is the one in use, made at first start. Older ones are kept under their id,
 * journal-hmac-<id>.key, so that what they masked can still be compared. */
#ifndef PROXY_AUDIT_KEYS_H
#define PROXY_AUDIT_KEYS_H

#include "policies/text.h"

struct audit_key;

/* A key's id is the first 8 hex digits of its own SHA-256. */
#define AUDIT_KEY_ID 9 /* and its NUL */

/* Reads DIR/journal-hmac.key, or makes the directory (0700) and the file. NULL with a message when it cannot
 * be read, made, or is open to others. */
struct audit_key *audit_key_open(const char *directory, char *error, size_t error_size);

/* Reads the key of that id, in use or kept, to compare with (id NULL: the one in use); makes none. NULL with
 * a message. */
struct audit_key *audit_key_find(const char *directory, const char *id, char *error, size_t error_size);

void audit_key_free(struct audit_key *key); /* wipes */

/* Appends "hmac-sha256:<key id>:<64 hex digits>" of the secret. Any thread. Fits schema_mask (arg is the
 * key).
 */
void audit_key_mask(void *key, struct span secret, struct text *out);

/* The id of the key in use. Any thread. */
void audit_key_id(struct audit_key *key, char id[static AUDIT_KEY_ID]);

enum audit_key_change {
    AUDIT_KEY_SAME,
    AUDIT_KEY_CHANGED, /* masks made from now on are of another key */
    AUDIT_KEY_KEPT,    /* with a message: it could not be read, and the one in use stays so */
};

/* Reads the key of the directory anew; never makes one. Any thread. */
enum audit_key_change audit_key_renew(struct audit_key *key, char *error, size_t error_size);

/* Makes a new DIR/journal-hmac.key and keeps the old one under its id: at every moment there is one in use,
 * and none is lost. To be called as the gate's user. A running gate uses the new one after audit_key_renew.
 * False with a message. */
bool audit_key_rotate(const char *directory, char old_id[static AUDIT_KEY_ID],
                      char new_id[static AUDIT_KEY_ID], char *error, size_t error_size);

#endif
