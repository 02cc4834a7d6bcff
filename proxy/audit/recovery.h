/* What a journal's directory holds when the journal is opened: where the sequence goes on, what a crash cut
 * short, which intents never came to an end. Internal to proxy/audit. */
#ifndef PROXY_AUDIT_RECOVERY_H
#define PROXY_AUDIT_RECOVERY_H

#include "proxy/audit/directory.h"
#include "proxy/audit/entry.h"

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

/* Appends a `reconciled` record with this result for each open intent. False when memory is out. */
bool intents_reconcile(const struct intents *intents, const char *result, struct entry_list *list);

struct recovery {
    uint64_t next_seq;
    struct entry_list records; /* to be written first in the new segment: recovered, reconciled */
};

/* Reads the directory. The newest segment is checked line by line: an incomplete last line is cut off into a
 * side file, damage before it is refused. Then every intent of the last run (the segments since the gate's
 * last start) that has no outcome gets a record. False with a message; nothing to free then. */
bool recovery_read(const struct directory *directory, struct recovery *recovery, char *error,
                   size_t error_size);

#endif
