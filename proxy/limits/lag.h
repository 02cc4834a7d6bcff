/* How late an event loop is: a timer that should fire evenly tells when a worker has more to do than time.
 * Pure: the caller says what time it is. */
#ifndef PROXY_LIMITS_LAG_H
#define PROXY_LIMITS_LAG_H

#include <stdbool.h>
#include <stdint.h>

#define LAG_TICKS 3 /* late ones in a row: a process that was stopped, or a slow disk, makes one or two */

/* Zeroed is ready. */
struct lag {
    int64_t last_us;
    unsigned late;
};

/* The timer that fires each `period_us` has fired. Is the loop too slow: were the last LAG_TICKS all late by
 * `bound_us` or more? 0 for the bound: never. */
bool lag_tick(struct lag *lag, int64_t period_us, int64_t bound_us, int64_t now_us);

#endif
