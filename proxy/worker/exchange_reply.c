/* How an answer is framed, and the answers that are the gate's own. */
#include "policies/refusal.h"
#include "proxy/http/reply.h"
#include "proxy/worker/client.h"
#include "proxy/worker/exchange_internal.h"
#include "proxy/worker/incoming.h"
#include "proxy/worker/worker.h"

/* ---- framing ---- */

void exchange_end_head(struct exchange *exchange, int64_t length)
{
    struct text *head = &exchange->head;
    bool old = wire_http_minor(&exchange->client->incoming->wire) == 0;

    if (length >= 0) {
        text_add_string(head, "content-length: ");
        text_add_number(head, (uint64_t)length);
        text_add(head, "\r\n", 2);
    } else if (!exchange->no_body && !old) {
        exchange->chunking = true;
        text_add_string(head, "transfer-encoding: chunked\r\n");
    } else if (!exchange->no_body) {
        exchange->keep = false;
    }
    if (exchange->worker->stopping)
        exchange->keep = false;
    if (!exchange->keep)
        text_add_string(head, "connection: close\r\n");
    else if (old)
        text_add_string(head, "connection: keep-alive\r\n");
    text_add(head, "\r\n", 2);
}

bool exchange_send_whole(struct exchange *exchange, struct span body)
{
    struct text *head = &exchange->head;
    bool says_length = exchange->status != 204 && exchange->status != 304;

    exchange_end_head(exchange, says_length ? (int64_t)body.length : -1);
    if (head->failed)
        return false;
    exchange->head_sent = true;
    underway_leave(exchange->worker->service->underway, &exchange->alone); /* the client may ask again now */
    if (exchange->no_body)
        body = (struct span){NULL, 0};
    exchange->bytes = body.length;
    client_send(exchange->client, (struct span){head->data, head->length}, body);
    return true;
}

/* ---- the gate's own answers ---- */

static void begin_own(struct exchange *exchange)
{
    char date[REPLY_DATE];

    text_clear(&exchange->head);
    reply_begin(&exchange->head, exchange->status);
    reply_field(&exchange->head, SPAN("content-type"), SPAN("application/vnd.api+json"));
    reply_date(clock_now_us() / 1000000, date);
    reply_field(&exchange->head, SPAN("date"), span_of(date));
    reply_field(&exchange->head, SPAN("cache-control"), SPAN("no-store"));
    reply_field(&exchange->head, SPAN("portcullis-request-id"), span_of(exchange->request_id));
}

/* Sends what stands in `rewritten` behind the head, or cuts the connection where memory is out. */
static void send_own(struct exchange *exchange)
{
    const struct text *body = &exchange->rewritten;

    if (body->failed || !exchange_send_whole(exchange, (struct span){body->data, body->length}))
        exchange_cut(exchange);
    else
        exchange_end(exchange);
}

void exchange_reply_refusal(struct exchange *exchange)
{
    const struct refusal *refusal = &exchange->decision.refusal;

    exchange->status = refusal->status;
    exchange->no_body = span_is(exchange->request.method, "HEAD");
    begin_own(exchange);
    for (const struct refusal_member *field = refusal->fields; field != NULL; field = field->next)
        reply_field(&exchange->head, span_of(field->name), span_of(field->value));
    text_clear(&exchange->rewritten);
    refusal_write(refusal, exchange->request_id, &exchange->rewritten);
    send_own(exchange);
}

void exchange_reply_again(struct exchange *exchange, int status, struct span location, const char *first_id)
{
    exchange->status = status;
    exchange->no_body = status == 204 || status == 304;
    exchange_record_replayed(exchange, first_id);
    begin_own(exchange);
    if (location.data != NULL)
        reply_field(&exchange->head, SPAN("location"), location);
    reply_field(&exchange->head, SPAN("portcullis-replay-of"), span_of(first_id));
    send_own(exchange);
}

void exchange_reply_document(struct exchange *exchange)
{
    exchange->status = 200;
    begin_own(exchange);
    send_own(exchange);
}
