/* The files that make a journal evidence: DIR/checkpoints/<16 digits of the size>.note, signed notes; and
 * DIR/verifier.vkey, the public key that they are verified with. Internal to proxy/audit. */
#ifndef PROXY_AUDIT_CHECKPOINTS_H
#define PROXY_AUDIT_CHECKPOINTS_H

#include "proxy/audit/checkpoint.h"
#include "proxy/audit/directory.h"
#include "proxy/audit/segment.h"

/* Name of a checkpoint's file, seen from the journal's directory: "checkpoints/0000000000001000.note". */
#define CHECKPOINT_NAME 40
void checkpoints_name(uint64_t size, char name[static CHECKPOINT_NAME]);

/* Makes the folder; false (errno). */
bool checkpoints_make(const struct directory *directory);

/* The largest size that a file is named for; 0 when there is none. False (errno). */
bool checkpoints_newest(const struct directory *directory, uint64_t *size);

/* Reads one and judges its signature: it must be by `key`, or by one of those that were replaced
 * (DIR/verifier-*.vkey). False with a message that begins with the file's path. */
bool checkpoints_read(const struct directory *directory, uint64_t size, const struct note_key *key,
                      struct tree_hash *root, char *error, size_t error_size);

/* Puts a note in its place, whole and durable, or another one in place of it. NULL, or why it cannot be. */
const char *checkpoints_write(const struct directory *directory, const struct journal_io *io, uint64_t size,
                              struct span note);

/* Removes those of fewer lines. What cannot be removed stays. */
void checkpoints_forget(const struct directory *directory, uint64_t size);

/* Reads DIR/verifier.vkey; *found is false when there is none. False with a message. */
bool verifier_read(const struct directory *directory, struct note_key *key, bool *found, char *error,
                   size_t error_size);

/* Writes it. NULL, or why it cannot be. */
const char *verifier_write(const struct directory *directory, const struct journal_io *io,
                           const struct note_key *key);

#endif
