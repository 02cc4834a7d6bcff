/* From the judged request to the one that is sent upstream: the canonical target, the fields that may pass,
 * those that the gate writes itself, and the body as it was judged. */
#include "policies/fields.h"
#include "proxy/base/fault_point.h"
#include "proxy/config/config.h"
#include "proxy/worker/client.h"
#include "proxy/worker/exchange_internal.h"
#include "proxy/worker/incoming.h"
#include "proxy/worker/worker.h"

#define OWN_FIELDS 12 /* that the gate adds at most */

struct outgoing {
    struct field *fields;
    size_t count;
    struct span credential; /* the value of Authorization */
};

static void add(struct outgoing *outgoing, const char *name, struct span value)
{
    outgoing->fields[outgoing->count++] = (struct field){span_of(name), value};
}

static bool is_version_header(const struct version_rules *rules, struct span name)
{
    for (const struct span *header = rules->headers; header->data != NULL; header++)
        if (field_name_equal(name, *header))
            return true;
    return false;
}

static void add_passing(struct exchange *exchange, struct outgoing *outgoing)
{
    const struct request *request = &exchange->request;
    const struct version_rules *rules = policy_version_rules(ruleset_policy(exchange->ruleset));
    bool has_connection = field_find(request, "Connection") != NULL;

    for (size_t i = 0; i < request->field_count; i++) {
        struct span name = request->fields[i].name;
        if (field_row_at(request, i)->use != FIELD_FORWARD || is_version_header(rules, name))
            continue;
        if (!exchange->trace.continued && span_equal_nocase(name, SPAN("tracestate")))
            continue; /* state of a trace that ends here */
        if (has_connection && field_named_by_connection(request, name))
            continue;
        outgoing->fields[outgoing->count++] = request->fields[i];
    }
}

/* RFC 9110 §7.6.3: a gateway adds itself behind those before it. */
static struct span via(struct exchange *exchange)
{
    const struct request *request = &exchange->request;
    struct span before = {NULL, 0};

    for (size_t i = 0; i < request->field_count; i++) {
        if (!span_equal_nocase(request->fields[i].name, SPAN("Via")))
            continue;
        struct span one = request->fields[i].value;
        const char *joined =
            before.length == 0
                ? arena_format(&exchange->arena, "%.*s", (int)one.length, one.data)
                : arena_format(&exchange->arena, "%s, %.*s", before.data, (int)one.length, one.data);
        before = span_of(joined);
    }
    bool old = wire_http_minor(&exchange->client->incoming->wire) == 0;
    if (before.length == 0)
        return span_of(old ? "1.0 portcullis" : "1.1 portcullis");
    return span_of(arena_format(&exchange->arena, "%s, %s portcullis", before.data, old ? "1.0" : "1.1"));
}

struct span exchange_authorization(const struct exchange *exchange)
{
    if (exchange->decision.credential != CREDENTIAL_OWN)
        return ruleset_credential(exchange->ruleset, exchange->decision.credential);
    const struct field *own = field_find(&exchange->request, "Authorization");
    return own != NULL ? own->value : (struct span){NULL, 0};
}

static bool add_own(struct exchange *exchange, struct outgoing *outgoing)
{
    const struct field *host = field_find(&exchange->request, "Host");
    const struct field *content_type = field_find(&exchange->request, "Content-Type");
    struct span ways = via(exchange);

    outgoing->credential = exchange_authorization(exchange);
    if (outgoing->credential.data == NULL || ways.data == NULL)
        return false;
    add(outgoing, "Authorization", outgoing->credential);
    add(outgoing, "Accept-Encoding", SPAN("identity"));
    if (exchange->decision.content.data != NULL && content_type != NULL)
        add(outgoing, "Content-Type", content_type->value);
    add(outgoing, "X-Forwarded-For", peer_forwarded(exchange->request.client));
    add(outgoing, "X-Forwarded-Proto", exchange->client->listener->tls ? SPAN("https") : SPAN("http"));
    if (host != NULL)
        add(outgoing, "X-Forwarded-Host", host->value);
    add(outgoing, "Via", ways);
    add(outgoing, "traceparent", span_of(exchange->trace.parent));
    add(outgoing, "X-Request-Id", span_of(exchange->request_id));
    return true;
}

static void refuse(struct exchange *exchange, enum refusal_kind kind, const char *detail)
{
    (void)exchange_refusal(exchange, kind, "forward", detail);
    if (exchange->mutation && exchange->state == EXCHANGE_RECORDING) {
        /* The intent is in the journal; it needs its outcome. */
        exchange->status = exchange->decision.refusal.status;
        exchange->failure = detail;
        if (exchange_record_outcome(exchange))
            exchange_enter(exchange, EXCHANGE_SETTLING);
        else
            exchange_reply_refusal(exchange);
        return;
    }
    exchange_refuse(exchange);
}

void exchange_forward(struct exchange *exchange)
{
    struct outgoing outgoing = {
        arena_take(&exchange->arena, (exchange->request.field_count + OWN_FIELDS) * sizeof(struct field)),
        0,
        {NULL, 0}};

    if (outgoing.fields == NULL) {
        refuse(exchange, REFUSE_INTERNAL, "Memory is out. Nothing was sent on.");
        return;
    }
    add_passing(exchange, &outgoing);
    if (!add_own(exchange, &outgoing)) {
        refuse(exchange, REFUSE_CREDENTIAL,
               "The upstream credential that the policy names for this principal or organization cannot be "
               "read by the gate. Nothing was sent on.");
        return;
    }
    const struct upstream_request request = {
        .method = exchange->decision.operation->method,
        .target = exchange->decision.forward,
        .fields = outgoing.fields,
        .field_count = outgoing.count,
        .body = exchange->decision.content,
        .due_us = exchange->client->incoming->total_us,
        .idempotent = !exchange->mutation,
        .owner = upstream_owner(
            exchange->worker->service->upstream, span_of(exchange->decision.principal->name),
            (struct span){(const char *)exchange->fingerprint.words, sizeof exchange->fingerprint.words}),
    };
    exchange->forwarded_us = clock_monotonic_us();
    exchange->call =
        upstream_start(exchange->worker->upstream, &request, &exchange_upstream_events, exchange);
    exchange_wipe_secrets(exchange);
    if (exchange->call == NULL) {
        refuse(exchange, REFUSE_INTERNAL, "Memory is out. Nothing was sent on.");
        return;
    }
    exchange_enter(exchange, EXCHANGE_FORWARDED);
    if (exchange->mutation)
        FAULT_POINT("exchange-after-forward");
}
