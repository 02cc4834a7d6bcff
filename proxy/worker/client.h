/* A client connection: evhttp parses and dispatches its requests, but reading, writing and closing are ours.
 *
 * evhttp's bufferevent is a container only. As soon as evhttp has set a new connection up, its descriptor is
 * taken out of the bufferevent (bufferevent_setfd -1), so that neither its reads nor its writes ever touch
 * the socket. The read event is ours: what it receives is judged by the wire guard, and of exactly one
 * request, complete and well-formed, evhttp is given at a time what it parses: request line, framing and
 * content. The next request is not even looked at before the reply is out; so no byte of one request can
 * become part of another, and a client that floods while a reply is pending is simply not read.
 *
 * Invariants:
 *  1. The descriptor is closed by evhttp (evhttp_connection_free), and by nobody else.
 *  2. A client is on worker->clients, or (state CLIENT_CLOSED) on worker->dead until the sweep.
 *  3. exchange != NULL only in CLIENT_ANSWERING; the exchange then outlives neither the client nor the evhttp
 * request it reads.
 *  4. evhttp's input is empty unless a request is being received.
 *  5. incoming != NULL from the first byte of a request until its reply is out. */
#ifndef PROXY_WORKER_CLIENT_H
#define PROXY_WORKER_CLIENT_H

#include "policies/text.h"
#include "proxy/net/peer.h"
#include "proxy/net/transport.h"

#include <event2/event_struct.h>
#include <sys/queue.h>

struct address_place;
struct bufferevent;
struct config_listener;
struct evbuffer;
struct event_base;
struct evhttp_connection;
struct evhttp_request;
struct exchange;
struct incoming;
struct peer_names;
struct proxy_header;
struct worker;

enum client_state {
    CLIENT_STARTING,    /* accepted; evhttp has not let go of the descriptor yet */
    CLIENT_HANDSHAKING, /* of TLS */
    CLIENT_RECEIVING,   /* waiting for a request, or in the middle of one */
    CLIENT_ANSWERING,   /* a request is with an exchange, or its reply is on the way out */
    CLIENT_LINGERING, /* reply sent and our side shut; what still comes is thrown away, so that the client can
                         read the reply */
    CLIENT_CLOSED,
};

/* What few connections ever need. */
struct client_rest {
    struct text surplus;      /* bytes received behind the request being answered; bounded */
    struct evbuffer *output;  /* what the socket did not take yet; NULL until first needed */
    size_t kept;              /* bytes in it, as counted in worker->held */
    struct event *writable;   /* NULL until first needed */
    size_t drained;           /* while lingering */
    struct peer_names *names; /* in its certificate, which was verified; NULL without one */
};

struct client {
    TAILQ_ENTRY(client) link;
    struct worker *worker;
    const struct config_listener *listener; /* where it came in */
    struct transport transport;             /* how the socket is read and written */
    struct bufferevent *bufferevent;        /* one reference */
    struct evhttp_connection *connection;   /* NULL before the first request */
    struct evhttp_request *request;         /* the one being answered */
    struct exchange *exchange;
    struct incoming *incoming; /* the request being received or answered; NULL while none is */
    struct client_rest *rest;  /* NULL until first needed */
    uint64_t handed;           /* bytes given to client_send so far */
    struct event readable;
    int64_t deadline_us; /* when to look whether the state waits for too long, monotonic; 0 for never */
    struct address_place *place; /* where it is counted; NULL: nowhere */
    struct proxy_header *proxy;  /* while one is received */
    unsigned requests;           /* dispatched so far */
    enum client_state state;
    char peer[IP_ADDRESS_TEXT]; /* who it is, as struct peer has it: the socket's peer, or as the PROXY header
                                   says */
    bool finishing;             /* the reply is complete; `keep` says what comes when it is written */
    bool keep;
    bool ended;     /* the client closed its sending side */
    bool placed;    /* it has a place in service->room; else it is turned away */
    bool gone;      /* the connection is broken; an exchange still uses the request */
    bool pumping;   /* client_pump is on the stack */
    bool continued; /* 100 (Continue) was sent */
    bool stalled;   /* TLS cannot go on reading before it has written: see client_tls.c */
    bool believed;  /* what it says of others in X-Forwarded-For */
};

/* The bufferevent factory of a listener's evhttp. Never returns NULL, because evhttp would then read the
 * socket itself: the connection uses worker->spare. */
struct bufferevent *client_bufferevent(struct event_base *base, void *listener);

/* evhttp's general callback. */
void client_on_request(struct evhttp_request *request, void *worker);

/* Makes worker->spare when there is none; false when memory is out (the worker then accepts nothing). */
bool client_prepare(struct worker *worker);

/* Frees worker->spare. */
void client_free_spare(struct worker *worker);

/* For the exchange: */

/* Sends two spans, one behind the other; what the socket does not take is kept. May find the client gone. */
void client_send(struct client *client, struct span first, struct span second);

/* May the connection serve another request: does the client want to, and has it not had as many as it may? */
bool client_keeps(const struct client *client);

/* Bytes kept. */
size_t client_queued(const struct client *client);

/* The reply is complete. keep: the connection may serve another request. The exchange must not use the client
 * afterwards. */
void client_finish(struct client *client, bool keep);

/* The reply cannot be completed: closes, so that the client sees it cut short. The exchange must not use the
 * client afterwards. */
void client_cut(struct client *client);

/* A trusted proxy says that the requests of this connection come from the address, which it is counted for
 * from now on. False: the address has too many connections; it is counted nowhere then. */
bool client_count_for(struct client *client, const struct ip_address *address);

/* For the worker: */

/* Applies the deadline that has passed by `now_us`, if any. */
void client_tick(struct client *client, int64_t now_us);

/* The gate stops. Closes an idle client; a new one may still make its first request within a moment; one with
 * a request is closed after its reply. */
void client_stop(struct client *client);

/* Closes at once. */
void client_close(struct client *client);

/* Frees everything on worker->dead. */
void client_sweep(struct worker *worker);

/* For client_peer.c: the peer is known and may be served. */
void client_serve(struct client *client);

/* client_peer.c: finds out who a new connection is, from its PROXY header where the listener demands one, and
 * goes on with client_serve, or closes it. */
void client_identify(struct client *client);
void client_identify_late(struct client *client); /* its deadline has passed */
void client_forget_peer(struct client *client);   /* it is closed */

/* client_tls.c: what is different of a client with TLS. */

/* Puts TLS over the socket and waits for the handshake, after which the first request is received. False when
 * memory is out. */
bool client_tls_begin(struct client *client);

/* Goes on with the handshake. */
void client_tls_handshake(struct client *client);

/* Its deadline has passed. */
void client_tls_late(struct client *client);

/* The socket takes bytes: is it TLS itself that waited for that? Then goes on with what it was about. */
bool client_tls_writable(struct client *client);

/* TLS cannot go on reading before it has written. */
void client_tls_stall(struct client *client);

/* Writes of what is kept for the client as much as the socket takes; false when the connection is broken. */
bool client_tls_flush(struct client *client);

/* For the other files of a client (client_*.c, wire_guard.c): */

#define CLIENT_FRESH_GRACE_MS 1000 /* when the gate stops: for a new connection's first request */

/* Its rest, made when there is none; NULL when memory is out. */
struct client_rest *client_rest(struct client *client);

/* The moment so long from now, monotonic, in microseconds. */
int64_t client_after_ms(unsigned milliseconds);

/* Waits for bytes from the client; false when memory is out. */
bool client_listen(struct client *client);

/* Waits until the socket takes bytes (false when memory is out) / no longer. */
bool client_await_writable(struct client *client);
void client_stop_writing(struct client *client);

/* Shuts our side down and waits a while for the client to close. */
void client_linger(struct client *client);

/* Reads from the socket and judges; runs whatever requests come of it. */
void client_on_readable(int descriptor, short what, void *arg);

/* The connection is broken: its exchange is told, or it is closed. */
void client_lose(struct client *client);

/* Judges the surplus and runs its requests, as long as there are any and each is answered at once. */
void client_pump(struct client *client);

/* Starts the wait for the next request. */
void client_receive(struct client *client);

/* Books what is held of the request under way in worker->unfinished / lets go of all of it but the header: it
 * is refused. */
void client_count_received(struct client *client);
void client_drop_received(struct client *client);

/* Bytes held of the request under way. */
size_t client_bytes_received(const struct client *client);

/* client_time.c: the header is complete and content follows: from now on its pace counts. */
void client_begin_body(struct client *client);

/* client_time.c: a part of the answer has to wait: from now on the client's pace counts. */
void client_begin_to_wait(struct client *client);

#endif
