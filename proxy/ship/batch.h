/* Lines of the journal on their way to a destination: their numbers follow each other without a gap. */
#ifndef PROXY_SHIP_BATCH_H
#define PROXY_SHIP_BATCH_H

#include "policies/text.h"

#define BATCH_LINES 500
#define BATCH_BYTES ((size_t)1024 * 1024) /* one line alone may be longer */

/* A zeroed struct is empty. */
struct batch {
    struct text bytes; /* each line with its newline */
    size_t count;
    size_t ends[BATCH_LINES]; /* where each line ends in it, behind the newline */
    uint64_t first_seq;
    size_t taken; /* lines of it that the destination has */
};

/* Would another line of that length be too much? */
bool batch_is_full(const struct batch *batch, size_t length);

/* Appends a line without its newline. False when memory is out. */
bool batch_add(struct batch *batch, uint64_t seq, struct span line);

/* A line, without its newline. */
struct span batch_line(const struct batch *batch, size_t index);

/* All lines behind those taken, newlines included. */
struct span batch_rest(const struct batch *batch);

/* Forgets the lines, keeps the memory. */
void batch_clear(struct batch *batch);
void batch_free(struct batch *batch);

#endif
