/* An exchange: one request from its dispatch to the last byte of its answer. Owns the state machine; only it
 * calls decide().
 *
 *   received ─ decided ─┬─ refused ───────────────────────────────┬─ replied
 *                       ├─ forwarded ─────────────────────────────┤        (reads)
 *                       └─ recording ─ forwarded ─ settling ──────┘        (mutations: intent durable, then
 * sent; outcome durable, then answered)
 *
 * Behind `decided` a mutation may be `preparing`: the upstream is asked what it is about, and it is judged
 * again. Whoever is refused then goes the way of the refused. Where the intent finds that others have not
 * approved the change, it is `asking` them: by a record, which is the record of the refusal.
 *
 * A client that leaves ends an exchange that changes nothing; one whose mutation was forwarded goes on until
 * its outcome is in the journal. */
#ifndef PROXY_WORKER_EXCHANGE_H
#define PROXY_WORKER_EXCHANGE_H

#include "policies/refusal.h"
#include "proxy/wire/wire.h"

struct client;
struct evhttp_request;
struct exchange;
struct worker;

/* Begins with a request that the wire guard and evhttp have accepted. May end before it returns. */
void exchange_begin(struct client *client, struct evhttp_request *request);

/* Answers a request that the wire guard refused, however much of it has come. The reply closes the
 * connection. */
void exchange_refuse_wire(struct client *client, enum wire_fault fault);

/* Answers a request that did not come in time (408). */
void exchange_refuse_late(struct client *client);

/* Answers 503 at once, for want of room: `rule` is the setting that bounds it, `detail` the sentence for the
 * client. The reply closes the connection. */
void exchange_refuse_overload(struct client *client, const char *rule, const char *detail);

/* From the client: it took all that was kept / it is gone. After exchange_client_gone a call of client_finish
 * or client_cut may follow at any time. */
void exchange_drained(struct exchange *exchange);
void exchange_client_gone(struct exchange *exchange);

/* Ends the exchange now: the gate stops. A forwarded mutation's outcome is recorded as unknown. */
void exchange_abort(struct exchange *exchange);

/* Frees the idle exchanges of a worker. */
void exchange_free_idle(struct worker *worker);

#endif
