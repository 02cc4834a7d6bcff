/* Hands checkpoints to somebody else: a command that the operator names (audit.checkpoint_command), in a
 * thread of its own. It gets the note on its standard input and the file's path as its last argument. A note
 * that it prints takes the file's place when it says the same, still holds our own signature, and so can only
 * have gained others. Internal to proxy/audit. */
#ifndef PROXY_AUDIT_WITNESS_H
#define PROXY_AUDIT_WITNESS_H

#include "proxy/audit/checkpoints.h"

struct witness_settings {
    const struct directory *directory;
    const struct journal_io *io;
    const struct note_key *key; /* our own */
    const char *const *command; /* argv, NULL-terminated */
    unsigned timeout_ms;
};

struct witness;

/* Starts the thread; what the settings point to must last. NULL when memory or threads are out. */
struct witness *witness_start(const struct witness_settings *settings);

/* A checkpoint was written; the note is taken over. While the command runs only the newest waits for it: a
 * later checkpoint says all that an earlier one does. */
void witness_give(struct witness *witness, uint64_t size, struct text *note);

/* How often the command failed or answered what cannot be taken. */
unsigned long witness_failures(const struct witness *witness);

/* Hands on what waits, ends the thread, frees. Takes up to twice the timeout. */
void witness_stop(struct witness *witness);

#endif
