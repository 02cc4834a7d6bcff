/* The journal's keeper: a thread that signs and writes checkpoints when they are due, hands them to the
 * witness, and removes old segments. The writer tells it how far the log is and never waits for it. Internal
 * to proxy/audit. */
#ifndef PROXY_AUDIT_KEEPER_H
#define PROXY_AUDIT_KEEPER_H

#include "proxy/audit/checkpoints.h"
#include "proxy/audit/journal.h"

struct keeper_settings {
    const struct directory *directory;
    const struct journal_io *io;
    const struct note_signer *signer;
    struct journal *journal;    /* where removals are recorded */
    unsigned records, seconds;  /* between checkpoints; 0: not for that */
    unsigned keep_days;         /* 0: for ever */
    const char *const *command; /* the witness's; NULL: none */
    unsigned command_timeout_ms;
    unsigned retry_ms; /* between attempts at a checkpoint that failed */
};

struct keeper;

/* Begins with a checkpoint of this tree, all of which is durable. What the settings point to must last. NULL
 * when memory or threads are out. */
struct keeper *keeper_start(const struct keeper_settings *settings, const struct tree *tree);

/* All lines of this tree are durable. `now`: a checkpoint is wanted at once. */
void keeper_post(struct keeper *keeper, const struct tree *tree, bool now);

/* The journal takes records: looks for old segments now, and from then on from time to time. */
void keeper_look(struct keeper *keeper);

struct keeper_status {
    uint64_t size;   /* of the newest checkpoint written by this run */
    int64_t time_us; /* when, since the epoch; 0: none yet */
    unsigned long written, failures, witness_failures, removed;
};

void keeper_status(struct keeper *keeper, struct keeper_status *status);

/* The journal is about to take no more records: no removal is begun any more, and none is waited for. */
void keeper_hush(struct keeper *keeper);

/* Writes the last checkpoint, lets the witness have it, ends the thread, frees. */
void keeper_stop(struct keeper *keeper);

#endif
