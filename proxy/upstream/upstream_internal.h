/* One worker's upstream side from the inside: its calls, its connections, and who waits for what.
 *
 * Invariants:
 * 1. A call is in exactly one list: waiting (no connection; it then stands in the queue, too), active (a
 * connection of its own), expired (for the length of on_timer), over.
 * 2. A connection is in exactly one list: busy (call != NULL), idle (READY, call == NULL), closed.
 * busy_count and idle_count count them; each has its bound. What is idle also stands on the shelf of its
 * owner, and takes no call of another.
 * 3. What is over or closed is freed by the pump alone, which the loop calls with no callback of ours below
 * it: a callback may end whatever it likes.
 * 4. Waiting calls are looked after by the pump only, which runs in the same turn of the loop behind the
 * events that are due: an idle connection that the upstream has closed, or spoken on unasked, has been thrown
 * away by then. And no callback runs from within upstream_start.
 * 5. timer_due is not later than any deadline. It may be earlier: arming the timer costs more than looking
 * once in vain. */
#ifndef PROXY_UPSTREAM_UPSTREAM_INTERNAL_H
#define PROXY_UPSTREAM_UPSTREAM_INTERNAL_H

#include "proxy/upstream/congestion.h"
#include "proxy/upstream/connection.h"
#include "proxy/upstream/queue.h"

#define SCRATCH_BYTES 65536
#define SHELVES       1024 /* a power of two */
#define SPARE_ANSWERS 64

TAILQ_HEAD(call_list, upstream_call);
TAILQ_HEAD(connection_list, connection);
LIST_HEAD(shelf, connection);

struct upstream {
    struct event_base *base;
    struct upstream_shared *shared;
    const struct config *config;

    struct event pump, timer, resolved, settle;
    bool settling; /* `settle` is due */
    int64_t timer_due;
    struct resolver_watch watch;

    struct call_list waiting, active, expired, over; /* waiting: whoever has waited longest first */
    size_t waiting_count;
    struct queue queue; /* in which order those that wait are served, and who is sent away */
    struct congestion congestion;
    struct connection_list idle, busy, closed; /* idle: newest first */
    struct shelf shelves[SHELVES];             /* what is idle, by owner; newest first too */
    size_t busy_count, idle_count;
    struct answer *spare[SPARE_ANSWERS]; /* of connections that rest; the last one was in use last */
    size_t spare_count;

    struct addresses *addresses; /* the newest; NULL until the name is resolved */
    size_t turn;                 /* which of equal addresses is next */
    struct tls_memory memory;
    struct field fields[ANSWER_FIELDS];
    char scratch[SCRATCH_BYTES]; /* what is read goes through here, and nowhere else */
};

enum call_stage { CALL_WAITING, CALL_CONNECTING, CALL_RUNNING, CALL_OVER };

struct upstream_call {
    TAILQ_ENTRY(upstream_call) entry;
    struct call_list *list; /* where it is */
    struct upstream *upstream;
    struct upstream_events events;
    void *arg;

    enum call_stage stage;
    struct connection *connection;
    struct place place; /* in the queue, while it waits; whose call it is */
    bool unsafe;        /* the request may not be written */
    bool idempotent, head_request;
    bool fresh;      /* only a new connection will do: */
    bool resent;     /* it is tried the second time */
    bool sent;       /* a byte of it may have reached the upstream, in any try */
    bool stuck;      /* writing failed halfway; an answer may still come */
    bool head_given; /* to the owner */
    bool wiped;
    bool paused;
    int64_t paused_at, total_due, first_due;
    int64_t last_due;     /* the owner's: does not wait for a pause */
    uint64_t sent_before; /* transport.sent when writing began */
    size_t written, length;
    char request[]; /* wiped as soon as it is not needed any more */
};

/* call.c: the life of one call. */
void call_move(struct upstream_call *call, struct call_list *list);
void call_attach(struct upstream_call *call, struct connection *connection);
void call_run(struct upstream_call *call); /* its connection is ready */
void call_read(struct upstream_call *call);
void call_write(struct upstream_call *call);
/* The connection, or the making of it, failed: another try where that is safe, else the end. */
void call_lost(struct upstream_call *call, enum upstream_failure failure, const char *detail);
void call_fail(struct upstream_call *call, enum upstream_failure failure, const char *detail);
void call_over(struct upstream_call *call); /* without telling anyone */
int64_t call_due(const struct upstream_call *call);
void call_expire(struct upstream_call *call, int64_t now);

/* upstream.c: the addresses as they are now known. */
void upstream_take_addresses(struct upstream *upstream);

/* pool.c: connections, and calls that wait for one. */
void pool_schedule(struct upstream *upstream);
void pool_pump(struct upstream *upstream);
void pool_settle(struct upstream *upstream);
void pool_free_spare(struct upstream *upstream); /* before it is freed */
void pool_sweep(struct upstream *upstream);
void pool_keep(struct connection *connection); /* has done its call well */
void pool_drop(struct connection *connection);
void pool_expire(struct upstream *upstream, int64_t now);
int64_t pool_due(const struct upstream *upstream);

/* upstream.c: sees to it that the timer fires by then. */
void upstream_due(struct upstream *upstream, int64_t due, int64_t now);

#endif
