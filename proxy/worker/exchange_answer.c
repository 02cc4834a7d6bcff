/* From the upstream's answer to the client's: status, fields and body stay; framing is ours, and absolute
 * links that lead past the gate are made to lead to it. */
#include "policies/fields.h"
#include "policies/links.h"
#include "proxy/base/log.h"
#include "proxy/config/config.h"
#include "proxy/http/reply.h"
#include "proxy/observe/version_watch.h"
#include "proxy/upstream/answer.h"
#include "proxy/worker/client.h"
#include "proxy/worker/exchange_internal.h"
#include "proxy/worker/incoming.h"
#include "proxy/worker/worker.h"

#include <stdio.h>

#define QUEUE_HIGH (256 * 1024) /* kept for a client that reads slowly; above it the upstream is not read */

static const struct span NOTHING = {NULL, 0};

/* ---- failures ---- */

static const struct {
    enum refusal_kind kind;
    const char *event; /* in the operational log */
    const char *detail;
} FAILURES[] = {
    [UPSTREAM_UNREACHABLE] = {REFUSE_UPSTREAM_CONNECT, "upstream-unreachable",
                              "The upstream API cannot be reached."},
    [UPSTREAM_UNTRUSTED] =
        {REFUSE_UPSTREAM_TLS, "upstream-tls",
         "The upstream's TLS certificate or protocol is not trusted; the gate's log says why."},
    [UPSTREAM_CLOSED] = {REFUSE_UPSTREAM_CLOSED, "upstream-closed",
                         "The upstream closed the connection before its answer was whole."},
    [UPSTREAM_INVALID] = {REFUSE_UPSTREAM_ANSWER, "upstream-answer",
                          "The upstream's answer breaks HTTP's grammar and was not passed on."},
    [UPSTREAM_TIMEOUT] = {REFUSE_UPSTREAM_TIMEOUT, "upstream-timeout",
                          "The upstream did not answer in time."},
    [UPSTREAM_OVERLOADED] =
        {REFUSE_OVERLOADED, "upstream-overloaded",
         "Too many requests wait for a connection to the upstream. Nothing was sent on; try again shortly."},
};

/* Answers with a refusal in place of the upstream's answer; a mutation's outcome is recorded first. */
static void fail(struct exchange *exchange, enum refusal_kind kind, const char *detail)
{
    const char *unknown = " Whether the change was made is not known: look before you try again.";
    bool open_end = exchange->mutation && exchange->sent && !exchange->answered;
    const char *full = open_end ? arena_format(&exchange->arena, "%s%s", detail, unknown) : detail;

    struct refusal *refusal = exchange_refusal(exchange, kind, "upstream", full ? full : detail);
    if (kind == REFUSE_OVERLOADED)
        refusal_field(refusal, &exchange->arena, "Retry-After", "1");
    exchange->status = refusal->status;
    exchange->answered_us = clock_monotonic_us();
    COUNT(exchange->worker->service, upstream_failed);
    if (exchange->mutation && exchange_record_outcome(exchange))
        exchange_enter(exchange, EXCHANGE_SETTLING);
    else
        exchange_reply_refusal(exchange);
}

static void note_failure(struct exchange *exchange, enum upstream_failure failure, const char *detail)
{
    static struct log_limit limits[sizeof FAILURES / sizeof *FAILURES];
    unsigned long suppressed = 0;
    struct span copy = arena_copy(&exchange->arena, span_of(detail));

    exchange->failure = copy.data ? copy.data : FAILURES[failure].event;
    if (log_allow(&limits[failure], 1, &suppressed))
        log_event(LOG_WARNING, FAILURES[failure].event, "request %s: %s (%lu more such events not shown)",
                  exchange->request_id, detail, suppressed);
}

static void on_fail(void *arg, enum upstream_failure failure, const char *detail, bool sent)
{
    struct exchange *exchange = arg;

    exchange->call = NULL;
    exchange->sent = sent;
    if (failure == UPSTREAM_OVERLOADED)
        COUNT(exchange->worker->service, shed);
    note_failure(exchange, failure, detail);
    if (exchange->head_sent)
        exchange_cut(exchange);
    else
        fail(exchange, FAILURES[failure].kind, FAILURES[failure].detail);
}

/* The answer cannot be passed on, though its grammar is right: the call is ended. */
static void reject(struct exchange *exchange, enum refusal_kind kind, const char *detail)
{
    if (exchange->call != NULL)
        upstream_cancel(exchange->call);
    exchange->call = NULL;
    exchange->failure = detail;
    fail(exchange, kind, detail);
}

/* ---- the upstream's answer ---- */

/* Where links shall lead: the setting, or scheme and host as the client sees the gate; nowhere but to their
 * path for a client that does not say (HTTP/1.0). */
static const char *gate_origin(struct exchange *exchange)
{
    const struct config *config = exchange->worker->service->config;
    const struct field *host = field_find(&exchange->request, "Host");

    if (config->public_url != NULL)
        return config->public_url;
    if (host == NULL || host->value.length == 0)
        return "";
    struct span name = host->value;
    struct span scheme = exchange->client->listener->tls ? SPAN("https://") : SPAN("http://");
    char *origin = arena_take(&exchange->arena, scheme.length + name.length + 1);
    if (origin != NULL) {
        memcpy(origin, scheme.data, scheme.length);
        memcpy(origin + scheme.length, name.data, name.length);
        origin[scheme.length + name.length] = '\0';
    }
    return origin;
}

static struct links_origin upstream_origin(const struct exchange *exchange)
{
    const struct config *config = exchange->worker->service->config;

    return (struct links_origin){
        .host = span_of(config->upstream.host), .port = config->upstream.port, .tls = config->upstream.tls};
}

/* A change with a key is answered the same again: where it leads is kept. */
static void pass_link(struct exchange *exchange, struct span name, struct span link)
{
    if (exchange->decision.orders.key.data != NULL && span_equal_nocase(name, SPAN("location")))
        exchange->location = arena_copy(&exchange->arena, link);
    reply_field(&exchange->head, name, link);
}

static bool rewrites_location(struct exchange *exchange, const struct field *field)
{
    const struct links_origin from = upstream_origin(exchange);
    struct text link = {0};
    const char *to = gate_origin(exchange);
    bool changed = to != NULL && link_rewrite(field->value, &from, to, &link) && !link.failed;

    if (changed)
        pass_link(exchange, field->name, (struct span){link.data, link.length});
    text_free(&link);
    return changed;
}

enum answer_use {
    ANSWER_PASS,
    ANSWER_LINK,
    ANSWER_DROP,
    ANSWER_TYPE,
    ANSWER_CODING,
    ANSWER_COOKIE,
    ANSWER_DIGEST,
    ANSWER_ABOUT,
    ANSWER_REQUEST_ID,
    ANSWER_TAG,
};

/* Fields of an answer that are more than passed on. Alt-Svc would lead clients round the gate. */
#define USED(NAME)                                                                                           \
    NAME("content-type")                                                                                     \
    NAME("location")                                                                                         \
    NAME("content-location")                                                                                 \
    NAME("content-encoding")                                                                                 \
    NAME("set-cookie")                                                                                       \
    NAME("link")                                                                                             \
    NAME("refresh")                                                                                          \
    NAME("content-digest")                                                                                   \
    NAME("repr-digest")                                                                                      \
    NAME("digest")                                                                                           \
    NAME("content-md5") NAME("snyk-request-id") NAME("alt-svc") NAME("portcullis-request-id") NAME("etag")
static const struct span_set USED_NAMES = SPAN_SET(USED);
static const enum answer_use USES[] = {
    ANSWER_TYPE,  ANSWER_LINK,   ANSWER_LINK,   ANSWER_CODING, ANSWER_COOKIE, ANSWER_ABOUT,
    ANSWER_ABOUT, ANSWER_DIGEST, ANSWER_DIGEST, ANSWER_DIGEST, ANSWER_DIGEST, ANSWER_REQUEST_ID,
    ANSWER_DROP,  ANSWER_DROP,   ANSWER_TAG,    ANSWER_PASS, /* and for all others */
};
_Static_assert(sizeof USES / sizeof *USES == 0 USED(SPAN_SET_ONE) + 1, "a use for each name");

static enum answer_use answer_use(struct span name)
{
    return USES[span_set_find(&USED_NAMES, name)];
}

static void note_request_id(struct exchange *exchange, struct span id)
{
    size_t room = sizeof exchange->upstream_request_id - 1;

    *(char *)mempcpy(exchange->upstream_request_id, id.data, id.length < room ? id.length : room) = '\0';
}

/* Learns from the fields what kind of answer it is, and what each of them is; whether its body has a content
 * coding other than identity. */
static bool note_fields(struct exchange *exchange, const struct upstream_answer *answer,
                        enum answer_use uses[static ANSWER_FIELDS])
{
    bool coded = false;

    for (size_t i = 0; i < answer->field_count; i++) {
        struct span value = answer->fields[i].value;
        uses[i] = answer_use(answer->fields[i].name);
        if (uses[i] == ANSWER_TYPE)
            exchange->json = exchange->json || reply_is_json(value);
        if (uses[i] == ANSWER_CODING)
            coded = coded || !span_equal_nocase(value, SPAN("identity"));
        if (uses[i] == ANSWER_REQUEST_ID)
            note_request_id(exchange, value);
    }
    return coded;
}

static bool names_host(struct span value, const char *host)
{
    size_t length = strlen(host);

    for (size_t i = 0; i + length <= value.length; i++)
        if (span_equal_nocase((struct span){value.data + i, length}, (struct span){host, length}))
            return true;
    return false;
}

static void copy_field(struct exchange *exchange, const struct field *field, enum answer_use use)
{
    if (use == ANSWER_DROP || (use == ANSWER_LINK && rewrites_location(exchange, field)))
        return;
    /* If-Match is judged here, by the gate's own tags: another would never match. */
    if (use == ANSWER_TAG && exchange->decision.resource.length > 0)
        return;
    /* A session of the gate's own credential is not the client's to have. */
    if (use == ANSWER_COOKIE && exchange->decision.credential != CREDENTIAL_OWN)
        return;
    /* Links may be rewritten: a digest of the bytes before would be wrong. */
    if (use == ANSWER_DIGEST && exchange->json)
        return;
    /* Links of another syntax than is rewritten: they go where they would lead round the gate. */
    if (use == ANSWER_ABOUT && names_host(field->value, exchange->worker->service->config->upstream.host))
        return;
    if (use == ANSWER_LINK)
        pass_link(exchange, field->name, field->value);
    else
        reply_field(&exchange->head, field->name, field->value);
}

static void begin_streaming(struct exchange *exchange, const struct upstream_answer *answer)
{
    exchange_end_head(exchange, exchange->no_body ? -1 : answer->length);
    if (exchange->head.failed) {
        upstream_cancel(exchange->call);
        exchange->call = NULL;
        exchange_cut(exchange);
        return;
    }
    exchange->head_sent = true;
    client_send(exchange->client, (struct span){exchange->head.data, exchange->head.length}, NOTHING);
}

static void on_head(void *arg, const struct upstream_answer *answer)
{
    struct exchange *exchange = arg;
    size_t bound = exchange->worker->service->config->upstream.json_bytes;
    enum answer_use uses[ANSWER_FIELDS];

    exchange->sent = true;
    exchange->upstream_status = exchange->status = answer->status;
    exchange->no_body = answer->status == 204 || answer->status == 304;
    if (answer->status == 429)
        exchange_note_limit(exchange, answer);
    version_seen_answer(exchange->worker->versions, exchange->decision.operation->id, answer->fields,
                        answer->field_count);
    text_clear(&exchange->head);
    reply_begin(&exchange->head, answer->status);
    bool coded = note_fields(exchange, answer, uses);
    for (size_t i = 0; i < answer->field_count; i++)
        copy_field(exchange, &answer->fields[i], uses[i]);
    reply_field(&exchange->head, SPAN("portcullis-request-id"), span_of(exchange->request_id));
    if (exchange->json && coded && !exchange->no_body) {
        reject(exchange, REFUSE_UPSTREAM_ANSWER,
               "The upstream's JSON answer has a content coding that was not asked for; its links could not "
               "be checked.");
        return;
    }
    /* A mutation's answer waits for its outcome to be durable, whatever its type. */
    exchange->holding = exchange->json || exchange->mutation;
    if (exchange->holding && answer->length > (int64_t)bound)
        reject(exchange, REFUSE_UPSTREAM_TOO_LARGE,
               "The upstream's answer is larger than the gate may hold (upstream.json_bytes).");
    else if (!exchange->holding)
        begin_streaming(exchange, answer);
    else if (answer->length >
             0) /* once, rather than grow and wipe what was too small; a failure shows later */
        (void)text_reserve(&exchange->body, (size_t)answer->length);
}

static void stream(struct exchange *exchange, struct span piece)
{
    char size[24];
    struct client *client = exchange->client;

    if (exchange->chunking) {
        int length = snprintf(size, sizeof size, "%zx\r\n", piece.length);
        client_send(client, (struct span){size, (size_t)length}, piece);
        client_send(client, SPAN("\r\n"), NOTHING);
    } else {
        client_send(client, piece, NOTHING);
    }
    exchange->bytes += piece.length;
    if (client->gone)
        exchange_client_gone(exchange);
    else if (client_queued(client) > QUEUE_HIGH)
        upstream_pause(exchange->call);
}

static void on_body(void *arg, struct span piece)
{
    struct exchange *exchange = arg;

    if (piece.length == 0)
        return;
    if (!exchange->holding) {
        stream(exchange, piece);
        return;
    }
    if (exchange->body.length + piece.length > exchange->worker->service->config->upstream.json_bytes) {
        reject(exchange, REFUSE_UPSTREAM_TOO_LARGE,
               "The upstream's answer is larger than the gate may hold (upstream.json_bytes).");
        return;
    }
    /* A mutation's answer is always taken: what became of the change must be known. */
    if (!exchange->mutation &&
        exchange->worker->held > exchange->worker->service->config->limits.held_bytes) {
        reject(exchange, REFUSE_OVERLOADED,
               "The gate holds as much of answers for slow clients as it may (limits.held_bytes); try again "
               "shortly.");
        return;
    }
    exchange->held += piece.length;
    exchange->worker->held += piece.length;
    text_add(&exchange->body, piece.data, piece.length);
    if (exchange->body.failed)
        reject(exchange, REFUSE_INTERNAL, "Memory is out: the upstream's answer could not be held.");
}

/* The collected body as it will be sent. false when it is no JSON though it says so. */
static bool rewrite_links(struct exchange *exchange)
{
    const struct links_origin from = upstream_origin(exchange);
    const char *to = gate_origin(exchange), *fault = NULL;
    bool changed = false;

    if (!exchange->json || exchange->body.length == 0)
        return true;
    text_clear(&exchange->rewritten);
    if (to == NULL ||
        !links_rewrite((struct span){exchange->body.data, exchange->body.length}, &from, to,
                       &exchange->rewritten, &changed, &fault) ||
        exchange->rewritten.failed)
        return false;
    if (changed) {
        struct text old = exchange->body;
        exchange->body = exchange->rewritten;
        exchange->rewritten = old;
    }
    return true;
}

void exchange_reply_collected(struct exchange *exchange)
{
    if (exchange_send_whole(exchange, (struct span){exchange->body.data, exchange->body.length}))
        exchange_end(exchange);
    else
        exchange_cut(exchange);
}

static void on_end(void *arg)
{
    struct exchange *exchange = arg;

    exchange->call = NULL;
    exchange->answered = true;
    exchange->answered_us = clock_monotonic_us();
    if (!exchange->holding) {
        if (exchange->chunking)
            client_send(exchange->client, SPAN("0\r\n\r\n"), NOTHING);
        exchange_end(exchange);
        return;
    }
    exchange_tag_answer(exchange);
    if (!rewrite_links(exchange)) {
        reject(exchange, REFUSE_UPSTREAM_ANSWER,
               "The upstream's answer says that it is JSON, but is not; its links could not be checked.");
        return;
    }
    if (exchange->mutation && exchange_record_outcome(exchange))
        exchange_enter(exchange, EXCHANGE_SETTLING);
    else
        exchange_reply_collected(exchange);
}

const struct upstream_events exchange_upstream_events = {
    .head = on_head, .body = on_body, .end = on_end, .fail = on_fail};
