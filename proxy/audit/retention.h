/* Which segments are old enough to go, and their removal, oldest first. Internal to proxy/audit. */
#ifndef PROXY_AUDIT_RETENTION_H
#define PROXY_AUDIT_RETENTION_H

#include "proxy/audit/checkpoints.h"

struct removal {
    struct segment_name name;
    uint64_t last_seq;
    struct tree_hash root; /* of the tree at its end */
};

enum retention_answer {
    RETENTION_NOTHING, /* `why` says what holds the oldest one back although it is old enough; "" otherwise */
    RETENTION_REMOVE,  /* `removal` may go */
};

/* May the oldest segment go? It must have ended before `before_us` (since the epoch; the time in the name of
 * the one behind it counts), be covered by the newest checkpoint, be whole itself, fit the one behind it, and
 * hold no intent that has no end. The newest segment never goes. */
#define RETENTION_WHY 512
enum retention_answer retention_look(const struct directory *directory, const struct note_key *key,
                                     int64_t before_us, struct removal *removal,
                                     char why[static RETENTION_WHY]);

/* Builds the record of its removal, which must be durable before retention_remove. False when memory is out.
 */
bool retention_record(const struct removal *removal, struct record *record);

/* Removes the file, what was once cut off from it, and the checkpoints of fewer lines than it ended with:
 * nothing can be held against them any more. NULL, or why it cannot be. */
const char *retention_remove(const struct directory *directory, const struct removal *removal);

#endif
