/* A progress bar on stderr, for a person who waits. */
#ifndef PROXY_BASE_PROGRESS_H
#define PROXY_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool shown; /* stderr is a terminal */
    bool drawn;
    int64_t start_us, next_us; /* monotonic */
};

/* Nothing is ever drawn where stderr is no terminal. */
void progress_start(struct progress *progress);

/* Bytes done, and all of them. Draws a few times a second, and not at all what is done within half a second.
 */
void progress_update(struct progress *progress, uint64_t done, uint64_t all);

/* Takes the bar away. */
void progress_end(struct progress *progress);

#endif
