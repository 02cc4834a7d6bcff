/* Room for client connections in the whole gate: how many there may be, and whether descriptors or memory for
 * one more are out. Shared by all workers without a lock. */
#ifndef PROXY_LIMITS_ROOM_H
#define PROXY_LIMITS_ROOM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define ROOM_QUIET_US 1000000 /* without a failure: then the want is over */

/* Zeroed, with a bound, is ready. */
struct room {
    unsigned bound;
    _Atomic unsigned taken;
    _Atomic int64_t failed_us; /* the last time that accepting failed, monotonic; 0: not, or it is over */
};

/* Takes a place for a connection; false when as many as may be are taken. Never more, whoever asks at the
 * same time. */
bool room_take(struct room *room);
void room_leave(struct room *room);

/* Accepting failed for want of descriptors or memory. True when that is the first time since it was over. */
bool room_fail(struct room *room, int64_t now_us);

/* Is the want over: has nothing failed for ROOM_QUIET_US? True once only, for whoever asks first. */
bool room_recovers(struct room *room, int64_t now_us);

#endif
