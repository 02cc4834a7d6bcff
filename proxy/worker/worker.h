/* A worker: one thread with its own event loop, evhttp, listening sockets, upstream pool and journal port.
 * Nothing on a read's way through it takes a lock. */
#ifndef PROXY_WORKER_WORKER_H
#define PROXY_WORKER_WORKER_H

#include "policies/pattern.h"
#include "proxy/base/clock.h"
#include "proxy/base/entropy.h"
#include "proxy/limits/lag.h"
#include "proxy/observe/shadow_tally.h"
#include "proxy/observe/tally.h"
#include "proxy/observe/version_watch.h"
#include "proxy/service/ruleset.h"
#include "proxy/service/service.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <sys/queue.h>

struct client;
struct exchange;
struct incoming;
struct journal_port;
struct listener;
struct socket_share;
struct upstream;

#define WORKER_BUFFER (64 * 1024)

TAILQ_HEAD(client_list, client);
SLIST_HEAD(exchange_list, exchange);
SLIST_HEAD(incoming_list, incoming);

/* Used by what runs in the worker's thread: client.c, wire_guard.c, exchange*.c. Other threads use the
 * functions below only. */
struct worker {
    struct service *service;
    unsigned index;
    struct event_base *base;
    struct upstream *upstream;
    struct journal_port *port;
    struct version_seen *versions;
    struct pattern_scratch *scratch;
    struct jwt_memo *tokens; /* of OAuth, found good lately */
    struct ruleset *ruleset; /* one reference; exchanges take their own */
    struct entropy entropy;

    struct client_list clients; /* all that are open */
    struct client_list dead;    /* closed during dispatch; freed by the sweep */
    struct client *spare;       /* made beforehand: see client.h */
    struct client *dispatching; /* whose request evhttp is parsing right now */
    unsigned client_count;
    unsigned turned_away;                /* of these, told that there is no room */
    bool starved;                        /* descriptors or memory were out when it last accepted */
    struct exchange_list idle_exchanges; /* wiped; for the next requests */
    struct incoming_list idle_incoming;  /* likewise */
    size_t held;                         /* bytes of answers: collected by exchanges, or kept for clients */
    size_t unfinished;                   /* bytes of requests that did not come at once */
    unsigned exchange_count;             /* under way */
    unsigned long unauthenticated;       /* since the last record of them */
    int64_t unauthenticated_since_us;

    struct listener *listeners;
    size_t listener_count;
    struct lag lag;
    bool lagging;   /* the loop is too slow: new requests are refused */
    bool accepting; /* the listeners are enabled */

    struct shadow_tally shadow; /* what a candidate for the policy says */
    struct tally tally;
    _Atomic int64_t ticked_us; /* when its loop last turned, monotonic; 0: it has not begun, or has ended */

    struct text lines;           /* access log lines not yet handed over */
    struct clock_text line_time; /* of the last of them */
    struct text head;            /* scratch for composing answers */
    char buffer[WORKER_BUFFER];  /* scratch for receiving */

    struct event tick;        /* deadlines, log hand-over */
    struct event sweep;       /* frees `dead` */
    struct event last_accept; /* ends accepting when the gate stops */
    struct event wake;        /* on wake_fd: orders from the control thread */
    int wake_fd;
    pthread_mutex_t order_lock; /* guards the three below */
    struct ruleset *ordered_ruleset;
    bool ordered_stop;
    bool ordered_abort;
    bool stopping;
    bool closed; /* and nobody is let in any more */

    pthread_t thread;
};

/* Makes a worker that serves on the sockets, one for each of the configuration's listeners (taken over, also
 * on failure). NULL with a message. Takes a reference of the ruleset. */
struct worker *worker_new(struct service *service, unsigned index, const struct socket_share *shares,
                          size_t count, struct ruleset *ruleset, char *error, size_t error_size);

/* Starts its thread. */
bool worker_start(struct worker *worker);

/* Orders from the control thread; each returns at once. A new ruleset (takes a reference); stop accepting,
 * let running exchanges end; end them now. */
void worker_swap(struct worker *worker, struct ruleset *ruleset);
void worker_stop(struct worker *worker);
void worker_abort(struct worker *worker);

/* Waits until `deadline_us` (monotonic) for the thread to end; false when it still runs. */
bool worker_join(struct worker *worker, int64_t deadline_us);

/* How long ago its loop last turned, microseconds; 0 while it does not run. Any thread. */
int64_t worker_silence(const struct worker *worker, int64_t now_us);

/* What it has counted. Any thread. */
const struct tally *worker_tally(const struct worker *worker);
const struct shadow_tally *worker_shadow(const struct worker *worker);

/* Frees a worker whose thread ended or never started. */
void worker_free(struct worker *worker);

/* Below: for the worker's own thread. */

/* Called when an exchange ended or a client closed: ends the loop of a stopping worker that has nothing left.
 */
void worker_check_idle(struct worker *worker);

/* Hands the access lines over when enough have gathered; the tick does it otherwise. */
void worker_flush_lines(struct worker *worker);

/* May it accept one more? */
bool worker_has_room(struct worker *worker);

/* The worker of an event base that accepting failed on: it pauses until descriptors are to be had. errno says
 * why. */
void worker_starve(struct event_base *base);

/* Stops or resumes accepting (connection bound, descriptors out). */
void worker_accept(struct worker *worker, bool accept);

#endif
