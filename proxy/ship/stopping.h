/* How long a shipping thread may still wait: for ever while the gate runs, a moment once it stops. */
#ifndef PROXY_SHIP_STOPPING_H
#define PROXY_SHIP_STOPPING_H

#include <stdbool.h>
#include <stdint.h>

struct stopping {
    int fd;                   /* an eventfd: readable once it stops */
    _Atomic int64_t deadline; /* monotonic microseconds; INT64_MAX: it does not stop */
};

/* False (errno) when descriptors are out. */
bool stopping_open(struct stopping *stopping);
void stopping_close(struct stopping *stopping);

/* It stops, and all must have ended within that time. Any thread. */
void stopping_begin(struct stopping *stopping, int64_t within_us);

static inline bool stopping_begun(const struct stopping *stopping)
{
    return stopping->deadline != INT64_MAX;
}

/* Is the last moment over? */
bool stopping_over(const struct stopping *stopping);

/* Waits until a descriptor is ready for `events` (of poll). False when it is not by `until`, or by the last
 * moment. */
bool stopping_wait(const struct stopping *stopping, int fd, short events, int64_t until);

/* Waits, unless it stops. */
void stopping_sleep(const struct stopping *stopping, int64_t until);

#endif
