/* What is under way in the whole gate and may be so once at a time, by name. For work that is done before the
 * journal can say so, which has the last word: here nothing is durable. Shared by all workers; has its own
 * lock. */
#ifndef PROXY_LIMITS_UNDERWAY_H
#define PROXY_LIMITS_UNDERWAY_H

#include "policies/span.h"

struct underway;

/* One that is under way, kept by whoever does it; zeroed: it is not. */
struct underway_one {
    struct underway_one *next;
    struct span name; /* must live until underway_leave */
};

/* NULL when memory is out. */
struct underway *underway_new(void);
void underway_free(struct underway *underway); /* NULL allowed */

/* False: another one of that name is under way. `one` must be zeroed; it stays where it is until
 * underway_leave. */
bool underway_enter(struct underway *underway, struct underway_one *one, struct span name);

/* Zeroes it; nothing where it is zeroed. */
void underway_leave(struct underway *underway, struct underway_one *one);

#endif
