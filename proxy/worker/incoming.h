/* What is kept of a request from its first byte until its reply is out: where the grammar is, and the bytes
 * of its header. A connection that waits for a request has none. Each worker keeps what was given back,
 * wiped, for the next requests. */
#ifndef PROXY_WORKER_INCOMING_H
#define PROXY_WORKER_INCOMING_H

#include "policies/text.h"
#include "proxy/limits/pace.h"
#include "proxy/wire/wire.h"

#include <sys/queue.h>

struct evbuffer;
struct worker;

struct incoming {
    SLIST_ENTRY(incoming) idle;
    struct wire wire;
    struct text header; /* request line and fields as received, judged so far; no empty lines in front */
    struct evbuffer *content; /* of a chunked request, its framing removed; NULL until first needed */
    size_t received;          /* where it did not come at once: bytes, as counted in worker->unfinished */
    int64_t began_us;         /* its first byte, monotonic; 0 before */
    int64_t total_us;         /* deadline of the exchange, answer included, monotonic; 0 for none */
    const char *fault; /* why the client was given up, where that was not its own doing; static; else NULL */
    struct pace pace;  /* of the body, or of the answer while a part of it is kept */
};

/* One for a request that is to be judged by the configuration's limits; NULL when memory is out. */
struct incoming *incoming_take(struct worker *worker);

/* Wipes it and keeps it for another request. NULL is allowed. */
void incoming_give_back(struct worker *worker, struct incoming *incoming);

/* Frees those that are kept. */
void incoming_free_idle(struct worker *worker);

/* Forgets the content. */
void incoming_drop_content(struct incoming *incoming);

/* Once the header is complete: gives evhttp what it parses of it, as it was received: the request line, and
 * the fields that frame content. Nothing else concerns evhttp, a credential least of all. false when memory
 * is out. */
bool incoming_show(const struct incoming *incoming, struct evbuffer *evhttp);

/* Is it what another reader of the same bytes found: method, target, bytes of content? Two readers that
 * differ in one of these are what smuggling is made of. */
bool incoming_is(const struct incoming *incoming, const char *method, const char *target, size_t content);

#endif
