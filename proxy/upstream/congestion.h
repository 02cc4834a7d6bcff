/* How long a queue may be so that nobody waits in it for longer than is of use. Pure: the caller says what
 * time it is.
 *
 * A queue that empties now and then does no harm, however long it was; one in which even the shortest wait of
 * a whole interval was too long only adds to everybody's latency (the thought behind CoDel, RFC 8289). While
 * that is so, no more may wait than were served in the last interval, which is what can be served in time. */
#ifndef PROXY_UPSTREAM_CONGESTION_H
#define PROXY_UPSTREAM_CONGESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `target_us`: the longest useful wait, and the length of an interval; 0: any. */
struct congestion {
    int64_t target_us;
    bool standing; /* somebody waits */
    bool congested;
    int64_t since_us; /* of the interval */
    int64_t least_us; /* shortest wait in it */
    size_t served, room;
};

/* Somebody waits from now on; nobody waits any more. Anything that is served in between is told. */
void congestion_begin(struct congestion *congestion, int64_t now_us);
void congestion_end(struct congestion *congestion);
void congestion_served(struct congestion *congestion, int64_t waited_us);

/* How many may wait; `oldest_us` is how long the one that has waited longest has. */
size_t congestion_room(struct congestion *congestion, int64_t oldest_us, int64_t now_us);

#endif
