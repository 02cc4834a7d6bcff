/* What a journal's directory holds when the journal is opened: where the log goes on, what a crash cut short,
 * which intents never came to an end. Internal to proxy/audit. */
#ifndef PROXY_AUDIT_RECOVERY_H
#define PROXY_AUDIT_RECOVERY_H

#include "proxy/audit/chain.h"
#include "proxy/audit/checkpoint.h"
#include "proxy/audit/claims_state.h"
#include "proxy/audit/directory.h"
#include "proxy/audit/entry.h"
#include "proxy/service/manifest.h"

#include <jansson.h>

/* Intents without an end, by request id. Memory is bounded by what was under way at one time. */
struct intents {
    json_t *open; /* {"<request id>": the intent's record} */
};

bool intents_init(struct intents *intents);
void intents_free(struct intents *intents);

/* Takes note of one line of the journal; a line that is no record is passed over. False when memory is out.
 */
bool intents_note(struct intents *intents, struct span line);

/* The same for a line whose own intent, if it is one, is of no interest. */
void intents_end(struct intents *intents, struct span line);

struct recovery {
    struct chain chain;         /* the log so far */
    struct entry_list records;  /* to be written first in the new segment: what was cut off */
    struct manifest manifest;   /* the newest that the log knows; serial 0: none */
    struct intents intents;     /* left open: somebody has to look what became of them */
    struct claims_state claims; /* what is claimed */
};

/* Reads the directory. The segments from the one that the newest checkpoint ends in are checked line by line
 * and held against it: what a crash may leave at the end of the newest (check.h) is cut off into a side file
 * and recorded. Any other damage is refused, and a checkpoint that does not fit: one that was signed for
 * lines that are not there, or damaged, even where a crash could have damaged them, since it signs for
 * nothing that was not durable. Then the intents without an end are looked for; the newest segment's header
 * says how far back they may lie. False with a message, and *passing as directory_open has it; nothing to
 * free then.
 *
 * It may be called again where what came behind it failed: what was cut off before, and is not on record, is
 * found by its side file. */
bool recovery_read(const struct directory *directory, const struct note_key *key, struct recovery *recovery,
                   const char **passing, char *error, size_t error_size);

/* NULL allowed; for one that was read, or zeroed. */
void recovery_free(struct recovery *recovery);

#endif
