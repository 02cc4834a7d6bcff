/* What a journal's directory holds when the journal is opened: where the log goes on, what a crash cut short,
 * which intents never came to an end. Internal to proxy/audit. */
#ifndef PROXY_AUDIT_RECOVERY_H
#define PROXY_AUDIT_RECOVERY_H

#include "proxy/audit/chain.h"
#include "proxy/audit/directory.h"
#include "proxy/audit/entry.h"
#include "proxy/audit/note.h"

#include <jansson.h>

/* Intents without an outcome, by request id. Memory is bounded by what was under way at one time. */
struct intents {
    json_t *open; /* {"<request id>": {the intent's members that a `reconciled` record repeats}} */
};

bool intents_init(struct intents *intents);
void intents_free(struct intents *intents);

/* Takes note of one line of the journal; a line that is no record is passed over. False when memory is out.
 */
bool intents_note(struct intents *intents, struct span line);

/* The same for a line whose own intent, if it is one, is of no interest. */
void intents_end(struct intents *intents, struct span line);

/* Appends a `reconciled` record with this result for each open intent. False when memory is out. */
bool intents_reconcile(const struct intents *intents, const char *result, struct entry_list *list);

struct recovery {
    struct chain chain;        /* the log so far */
    struct entry_list records; /* to be written first in the new segment: recovered, reconciled */
};

/* Reads the directory. The segments from the one that the newest checkpoint ends in are checked line by line
 * and held against it: an incomplete last line of the newest is cut off into a side file, any other damage
 * and a checkpoint that does not fit are refused. Then every intent that has no outcome gets a record; the
 * newest segment's header says how far back they may lie. False with a message; nothing to free then. */
bool recovery_read(const struct directory *directory, const struct note_key *key, struct recovery *recovery,
                   char *error, size_t error_size);

#endif
