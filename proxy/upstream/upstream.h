/* The upstream side: a small strict HTTP/1.1 client on libevent, one per worker.
 *
 * One request at a time on a connection, framing always written by us, answers read by a strict incremental
 * grammar (answer.h), bodies streamed with back-pressure. Names are resolved by a helper thread (resolver.h).
 *
 * No answer reaches the request of another owner (owner.h), whatever the upstream sends and when:
 * - A connection serves one owner in all its life.
 * - It goes back to the pool only when its answer ended exactly where it should; bytes behind that end make
 *   the answer invalid. It leaves the pool only when nothing lies in it.
 * - Bytes that were on their way at that moment look like the answer to the owner's next request. They are
 *   none when the upstream's kernel had not one byte of the request as they were sent, which the
 *   acknowledgements of TCP tell for certain. It is looked at for requests that are not idempotent, and for
 *   all where a round trip takes a millisecond or more.
 *
 * A request is sent again, once, on a fresh connection, only when that is safe: it was never written, or it
 * is idempotent, ran on a connection from the pool, and no byte of an answer was seen. A mutation is sent
 * again only when not one byte of it was written. */
#ifndef PROXY_UPSTREAM_UPSTREAM_H
#define PROXY_UPSTREAM_UPSTREAM_H

#include "policies/request.h"
#include "proxy/config/config.h"
#include "proxy/upstream/owner.h"

#include <stdint.h>

struct event_base;
struct evbuffer;
struct upstream;        /* the pool of one worker */
struct upstream_shared; /* what workers share: addresses, TLS context, sessions */
struct upstream_call;   /* one request under way */

/* Makes the shared part: starts the resolver, loads the CA store. NULL with a message in error[]. `config`
 * must outlive it. */
struct upstream_shared *upstream_shared_new(const struct config *config, char *error, size_t error_size);
void upstream_shared_free(struct upstream_shared *shared);
/* Reads the CA file and the proxy's credentials anew (SIGHUP): connections made from now on use them. One
 * that is wrong is kept as it was (false, and a message that names the setting). Any thread. */
bool upstream_shared_reload(struct upstream_shared *shared, char *error, size_t error_size);

/* The owner of a principal's requests with that value of Authorization. Any thread. */
struct upstream_owner upstream_owner(const struct upstream_shared *shared, struct span principal,
                                     struct span authorization);

struct upstream *upstream_new(struct event_base *base, struct upstream_shared *shared);
void upstream_free(struct upstream *upstream); /* all calls must have ended; not from within a callback */

struct upstream_request {
    const char *method;
    struct span target; /* origin-form, canonical */
    const struct field
        *fields; /* in order; without Host, Content-Length, Connection: the client writes those */
    size_t field_count;
    struct span body; /* data NULL: no content, and no Content-Length but for POST, PUT and PATCH (0) */
    int64_t due_us;   /* monotonic: the call ends by then, paused or not; 0 for no such bound */
    bool idempotent;  /* may be sent again when no byte of an answer was seen */
    struct upstream_owner owner; /* from upstream_owner; zeroed where all requests are one client's */
};

struct upstream_answer {
    int status;
    const struct field
        *fields; /* Content-Length, hop-by-hop fields and those that Connection names are left out */
    size_t field_count;
    int64_t length; /* of the body, or what it would be (HEAD, 304); -1: not known before its end */
};

enum upstream_failure {
    UPSTREAM_UNREACHABLE, /* could not resolve or connect, or the proxy refused */
    UPSTREAM_UNTRUSTED,   /* TLS: certificate, host name, protocol */
    UPSTREAM_CLOSED,      /* closed or reset before the answer was whole */
    UPSTREAM_INVALID,     /* the answer breaks HTTP's grammar */
    UPSTREAM_TIMEOUT,     /* connect, first byte or total */
    UPSTREAM_OVERLOADED,  /* the queue for a connection is full, or descriptors are out */
};

/* Callbacks; all run in the worker's loop, never from within upstream_start. After end or fail the call is
 * gone. Texts are borrowed for the callback's time. */
struct upstream_events {
    void (*head)(void *arg, const struct upstream_answer *answer);
    void (*body)(void *arg, struct span piece);
    void (*end)(void *arg);
    /* `sent`: bytes of the request may have reached the upstream, so a mutation's outcome is unknown. detail
     * is one line for the log. May come after head: the answer is then cut short. */
    void (*fail)(void *arg, enum upstream_failure failure, const char *detail, bool sent);
};

/* Starts a request. Everything that `request` points to is copied (the copy is wiped). NULL only when memory
 * is out. */
struct upstream_call *upstream_start(struct upstream *upstream, const struct upstream_request *request,
                                     const struct upstream_events *events, void *arg);

/* Do so many calls wait, or for so long, that a new one should not be started? One that is not idempotent
 * waits, once it is started, however many there are. */
bool upstream_is_full(const struct upstream *upstream);

/* Ends a call: its connection is closed, no callback comes any more. */
void upstream_cancel(struct upstream_call *call);

/* Back-pressure: no more body callbacks (but what is in hand) until resumed. The total deadline does not run
 * while paused. */
void upstream_pause(struct upstream_call *call);
void upstream_resume(struct upstream_call *call);

#endif
