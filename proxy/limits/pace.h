/* Is a peer that takes or sends something too slow? Pure: the caller says what time it is and how many bytes
 * have gone by, and looks now and then; nothing has to be done for each byte. */
#ifndef PROXY_LIMITS_PACE_H
#define PROXY_LIMITS_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace_rule {
    unsigned bytes_per_s; /* at least, on average since the beginning; 0: any */
    unsigned grace_ms;    /* from then on */
    unsigned still_ms;    /* longest time without any progress; 0: any */
    unsigned total_ms;    /* longest time in all; 0: any */
};

/* Times are monotonic and in microseconds, `done` counts bytes from any beginning. */
struct pace {
    int64_t since_us, moved_us;
    uint64_t first, last; /* `done` at the beginning and when it was last looked at */
};

/* Begins to measure. */
void pace_begin(struct pace *pace, uint64_t done, int64_t now_us);

/* Is it fast enough still? Progress is noticed here only: look at pace_next. */
bool pace_holds(struct pace *pace, const struct pace_rule *rule, uint64_t done, int64_t now_us);

/* When to look again: not later than the moment at which the next bound can be broken, and once a second
 * where a rate or progress counts. */
int64_t pace_next(const struct pace *pace, const struct pace_rule *rule, int64_t now_us);

#endif
