/* One connection to the upstream: made by trying each address in turn, a tunnel through a proxy and TLS over
 * it where the configuration says so; then bytes both ways, on two events. */
#ifndef PROXY_UPSTREAM_CONNECTION_H
#define PROXY_UPSTREAM_CONNECTION_H

#include "proxy/upstream/answer.h"
#include "proxy/upstream/balance.h"
#include "proxy/upstream/shared.h"
#include "proxy/upstream/upstream.h"

#include <event2/event.h>
#include <event2/event_struct.h>

struct connection;

/* Told about a connection; none of these runs after connection_close. */
struct connection_events {
    void (*ready)(struct connection *connection); /* it may be written to */
    /* It could not be made. Still to be closed. */
    void (*failed)(struct connection *connection, enum upstream_failure failure, const char *detail);
    void (*readable)(struct connection *connection);
    void (*writable)(struct connection *connection); /* once for each connection_await_writable */
};

enum connection_stage {
    CONNECTION_RESOLVING,
    CONNECTION_CONNECTING,
    CONNECTION_TUNNELLING, /* the proxy is asked for the upstream */
    CONNECTION_SHAKING,    /* hands, by TLS */
    CONNECTION_READY,
    CONNECTION_CLOSED,
};

struct connection {
    TAILQ_ENTRY(connection) entry; /* in one of the owner's lists */
    const struct connection_events *events;
    void *pool;
    LIST_ENTRY(connection) shelf;
    struct upstream_call *call; /* the one under way; NULL while idle */
    struct upstream_owner owner;

    enum connection_stage stage;
    struct transport transport;
    struct tunnel tunnel;    /* while it is asked for */
    struct answer *answer;   /* NULL while idle */
    struct address *address; /* connected to, or being connected to; NULL between two of them */
    bool counted;            /* among the address's requests under way */
    bool probe;              /* its call is the one that tries the address */
    bool far;                /* a round trip took a millisecond or more when it was connected */
    bool served;             /* an answer came through it before */
    bool paused;             /* not reading */
    bool rested;             /* idle, and the loop has looked at it since */
    int64_t idle_since;      /* monotonic microseconds, as all times here */

    struct event_base *base;
    struct upstream_shared *shared;
    struct tls_memory *memory;
    struct event read_event, write_event;

    struct addresses *addresses; /* while it is being made, */
    struct balance_plan plan;    /* the order in which they are tried, */
    size_t tried;                /* and how many were */
    size_t turn;
    bool may_probe;
    int64_t due, address_due; /* deadlines: for all, for the address under way */
    char detail[256];         /* why the last address failed */
};

/* A connection not yet begun; NULL when memory is out. */
struct connection *connection_new(struct event_base *base, struct upstream_shared *shared,
                                  struct tls_memory *memory, const struct connection_events *events,
                                  void *pool);

/* Begins to make it; `may_probe` and `turn` as in balance_plan. May call back from within. */
void connection_begin(struct connection *connection, bool may_probe, size_t turn, int64_t now);

/* A look-up has ended: goes on when it waited for that. */
void connection_resolved(struct connection *connection);

/* The next deadline while it is being made (INT64_MAX: none), and what to do when the time has come. */
int64_t connection_due(const struct connection *connection);
void connection_expire(struct connection *connection, int64_t now);

/* It serves a call / none: its address is told that there is one request more or less. */
void connection_occupy(struct connection *connection);
void connection_rest(struct connection *connection);

/* The call got no whole answer from the address that it is at, if any. */
void connection_blame(struct connection *connection);

void connection_await_writable(struct connection *connection);
void connection_pause(struct connection *connection);
void connection_resume(struct connection *connection);

enum connection_silence {
    CONNECTION_QUIET,  /* open, with nothing to read */
    CONNECTION_GONE,   /* closed by the other side, or lost */
    CONNECTION_SPEAKS, /* there are bytes that nobody asked for */
};

/* Looks at an idle connection. A byte is lost where it speaks: close it then. */
enum connection_silence connection_listen(struct connection *connection);

/* Its first bytes since a request was written are there, `sent_before` being transport.sent before that: were
 * they on their way before one byte of the request had come to the upstream's kernel? Whatever is sent later
 * acknowledges that byte. Costs a system call unless nothing was written at all. */
bool connection_spoke_first(const struct connection *connection, uint64_t sent_before);

/* Closes it now. The memory stays until connection_free, which must not be called from within a callback of
 * it. */
void connection_close(struct connection *connection, bool politely);
void connection_free(struct connection *connection);

#endif
