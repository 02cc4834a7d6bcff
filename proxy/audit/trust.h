/* The public keys that a journal's checkpoints are held against. */
#ifndef PROXY_AUDIT_TRUST_H
#define PROXY_AUDIT_TRUST_H

#include "proxy/audit/checkpoint.h"

/* A zeroed struct is the empty list. */
struct trust {
    struct note_key *keys;
    size_t count;
};

/* Adds a key: a vkey as it is, or the path of a file that holds one. False with a message. */
bool trust_add(struct trust *trust, const char *vkey_or_path, char *error, size_t error_size);

/* Adds the keys that lie in a journal's directory: verifier.vkey, and verifier-*.vkey of those that were
 * replaced. None at all is no fault. False with a message. */
bool trust_add_directory(struct trust *trust, const char *directory, char *error, size_t error_size);

/* Is the key among them? */
bool trust_has(const struct trust *trust, const struct note_key *key);

/* Judges a note: signed by one of them? *signer is the key's index. A wrong signature in the name of one of
 * them makes the note bad, whatever the others say. */
enum note_verdict trust_verify(const struct trust *trust, struct span note, struct span *text, size_t *signer,
                               const char **fault);

void trust_free(struct trust *trust);

#endif
