/* Calls that wait for a connection, each owner's in a line of its own (first in, first out); the lines take
 * turns, one call at a time. So an owner waits behind one call of every other, however many those have.
 * Nothing here costs more for more calls or owners, but to find whom to send away. */
#ifndef PROXY_UPSTREAM_QUEUE_H
#define PROXY_UPSTREAM_QUEUE_H

#include "proxy/upstream/owner.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#define QUEUE_CHAINS 64 /* a power of two */

struct line;
TAILQ_HEAD(place_list, place);
TAILQ_HEAD(line_list, line);
LIST_HEAD(line_chain, line);

/* What waits; a member of the call. Zeroed is one that does not wait. */
struct place {
    TAILQ_ENTRY(place) entry;
    struct line *line; /* NULL: does not wait */
    struct upstream_owner owner;
    bool firm; /* is never sent away */
    int64_t since_us;
};

/* A zeroed one needs queue_begin. */
struct queue {
    struct line_list turns; /* lines that are not empty, the next one first */
    struct line_chain chains[QUEUE_CHAINS];
    struct line_chain spare;
    size_t lines, places; /* made; reserved */
    size_t yielding;      /* waiting, and not firm */
};

void queue_begin(struct queue *queue);
void queue_end(struct queue *queue); /* nothing waits any more */

/* Makes sure that one call more can wait, whenever; false when memory is out. Given back by queue_release. */
bool queue_reserve(struct queue *queue);
void queue_release(struct queue *queue);

/* Puts it at the end of its owner's line, or, since it had its turn before, at the very front. */
void queue_add(struct queue *queue, struct place *place);
void queue_add_first(struct queue *queue, struct place *place);

/* Takes it out; if it was the first of its line, the line's next turn comes after those of all others. One
 * that does not wait is left alone. */
void queue_remove(struct queue *queue, struct place *place);

/* Whose turn it is; NULL when nothing waits. */
struct place *queue_first(const struct queue *queue);

/* Whom to send away: the newest of the longest line that is not firm; NULL when all are firm. */
struct place *queue_newest(const struct queue *queue);

#endif
