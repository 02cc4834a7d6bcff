/* How long to wait before the next attempt: twice as long each time, up to a minute, and never the same for
 * two that began together. Pure. */
#ifndef PROXY_SHIP_BACKOFF_H
#define PROXY_SHIP_BACKOFF_H

#include <stdint.h>

#define BACKOFF_FIRST_MS 250u
#define BACKOFF_MOST_MS  60000u

/* A zeroed struct is ready; zero it again after a success. */
struct backoff {
    unsigned failures;
};

/* One more attempt failed: the pause in milliseconds, from half of the time due up to all of it, as `random`
 * falls. */
static inline unsigned backoff_next(struct backoff *backoff, uint32_t random)
{
    unsigned due = BACKOFF_MOST_MS;

    if (backoff->failures < 8)
        due = BACKOFF_FIRST_MS << backoff->failures++;
    return due / 2 + random % (due - due / 2 + 1);
}

#endif
