#include "proxy/worker/exchange.h"

#include "policies/fields.h"
#include "proxy/audit/journal.h"
#include "proxy/base/log.h"
#include "proxy/base/step_log.h"
#include "proxy/http/header_view.h"
#include "proxy/tls/peer_names.h"
#include "proxy/wire/refusal.h"
#include "proxy/worker/client.h"
#include "proxy/worker/exchange_internal.h"
#include "proxy/worker/incoming.h"
#include "proxy/worker/unauthenticated.h"
#include "proxy/worker/worker.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdlib.h>

#define BODY_KEPT (64 * 1024) /* of an idle exchange's buffers; larger ones are given back */

/* ---- states ---- */

#define NAME_OF(state, name) [EXCHANGE_##state] = #name,
#define FOLLOWS(from, to)    [EXCHANGE_##from][EXCHANGE_##to] = true,

static const char *const STATE_NAMES[EXCHANGE_STATES] = {EXCHANGE_STATE_TABLE(NAME_OF)};
static const bool MAY_FOLLOW[EXCHANGE_STATES][EXCHANGE_STATES] = {EXCHANGE_STEP_TABLE(FOLLOWS)};

void exchange_enter(struct exchange *exchange, enum exchange_state next)
{
    if (!MAY_FOLLOW[exchange->state][next]) {
        log_event(LOG_ERROR, "exchange",
                  "state %s cannot follow %s: this is a defect, the gate stops rather than guess",
                  STATE_NAMES[next], STATE_NAMES[exchange->state]);
        abort();
    }
    step_log(exchange->request_id, exchange->mutation ? "change" : "read", STATE_NAMES[exchange->state],
             STATE_NAMES[next]);
    exchange->state = next;
}

/* ---- making and ending ---- */

static struct exchange *make(struct client *client)
{
    struct worker *worker = client->worker;
    struct exchange *exchange = SLIST_FIRST(&worker->idle_exchanges);

    if (exchange != NULL) {
        SLIST_REMOVE_HEAD(&worker->idle_exchanges, idle);
    } else {
        exchange = calloc(1, sizeof *exchange);
        if (exchange == NULL)
            return NULL;
        arena_init_within(&exchange->arena, exchange->room, sizeof exchange->room);
    }
    exchange->worker = worker;
    exchange->client = client;
    exchange->ruleset = ruleset_hold(worker->ruleset);
    exchange->began_us = client->incoming->began_us;
    exchange->began_epoch_us = clock_now_us();
    entropy_uuid(&worker->entropy, exchange->request_id);
    worker->exchange_count++;
    client->exchange = exchange;
    return exchange;
}

static void clear_text(struct text *text)
{
    if (text->data != NULL)
        explicit_bzero(text->data, text->length);
    if (text->capacity > BODY_KEPT)
        text_free(text);
    else
        text_clear(text);
}

/* Wipes it and keeps it for the next request. */
static void put_away(struct exchange *exchange)
{
    struct worker *worker = exchange->worker;
    struct text head = exchange->head, body = exchange->body, rewritten = exchange->rewritten,
                masked = exchange->masked;

    underway_leave(worker->service->underway, &exchange->alone);
    decision_free(&exchange->decision);
    survey_release(exchange->survey);
    worker->held -= exchange->held;
    ruleset_release(exchange->ruleset);
    arena_reset(&exchange->arena);
    clear_text(&head);
    clear_text(&body);
    clear_text(&rewritten);
    clear_text(&masked);
    explicit_bzero((char *)exchange + offsetof(struct exchange, request),
                   sizeof *exchange - offsetof(struct exchange, request));
    exchange->head = head;
    exchange->body = body;
    exchange->rewritten = rewritten;
    exchange->masked = masked;
    exchange->client = NULL;
    exchange->ruleset = NULL;
    exchange->state = EXCHANGE_RECEIVED;
    SLIST_INSERT_HEAD(&worker->idle_exchanges, exchange, idle);
    worker->exchange_count--;
}

void exchange_free_idle(struct worker *worker)
{
    struct exchange *exchange;

    while ((exchange = SLIST_FIRST(&worker->idle_exchanges)) != NULL) {
        SLIST_REMOVE_HEAD(&worker->idle_exchanges, idle);
        text_free(&exchange->head);
        text_free(&exchange->body);
        text_free(&exchange->rewritten);
        text_free(&exchange->masked);
        free(exchange);
    }
}

void exchange_end(struct exchange *exchange)
{
    struct client *client = exchange->client;
    bool keep = exchange->keep && !exchange->worker->stopping;

    exchange_enter(exchange, EXCHANGE_REPLIED);
    exchange_record_read(exchange);
    exchange_log(exchange);
    put_away(exchange);
    client_finish(client, keep);
}

void exchange_cut(struct exchange *exchange)
{
    struct client *client = exchange->client;

    exchange_enter(exchange, EXCHANGE_REPLIED);
    exchange_record_read(exchange);
    exchange_log(exchange);
    put_away(exchange);
    client_cut(client);
}

/* ---- the request as the judgement sees it ---- */

static bool view_header(struct exchange *exchange)
{
    const struct incoming *incoming = exchange->client->incoming;
    const struct client_rest *rest = exchange->client->rest;
    const struct peer_names *names = rest != NULL ? rest->names : NULL;

    if (names != NULL) {
        exchange->request.certificate_names = names->names;
        exchange->request.certificate_name_count = names->count;
    }

    exchange->request.now = exchange->began_epoch_us / 1000000;
    return header_view((struct span){incoming->header.data, incoming->header.length},
                       wire_field_count(&incoming->wire), &exchange->arena, &exchange->request);
}

static bool view_request(struct exchange *exchange, struct evhttp_request *request)
{
    const struct incoming *incoming = exchange->client->incoming;
    struct evbuffer *body = evhttp_request_get_input_buffer(request);
    size_t length = evbuffer_get_length(body);

    exchange->request.has_content = wire_has_content(&incoming->wire);
    exchange->request.body = (struct span){length ? (const char *)evbuffer_pullup(body, -1) : "", length};
    return (length == 0 || exchange->request.body.data != NULL) && view_header(exchange);
}

/* ---- judging ---- */

struct refusal *exchange_refusal(struct exchange *exchange, enum refusal_kind kind, const char *gate,
                                 const char *detail)
{
    struct decision *decision = &exchange->decision;

    decision->verdict = VERDICT_REFUSE;
    decision->gate = gate;
    refusal_begin(&decision->refusal, kind);
    refusal_add(&decision->refusal, &exchange->arena, detail, NULL, NULL);
    return &decision->refusal;
}

/* A change that was only tried is told what would have become of it, once it is known who asks. */
static bool is_tried(const struct exchange *exchange)
{
    const struct decision *decision = &exchange->decision;

    return decision->orders.dry_run && decision->principal != NULL && decision->operation != NULL &&
           decision->operation->effect != EFFECT_READ && !exchange->client->gone;
}

void exchange_refuse(struct exchange *exchange)
{
    struct worker *worker = exchange->worker;

    if (is_tried(exchange)) {
        exchange_reply_dry_run(exchange);
        return;
    }

    exchange->status = exchange->decision.refusal.status;
    if (exchange->decision.principal == NULL && (exchange->status == 401 || exchange->status == 403))
        unauthenticated_count(worker);
    if (exchange->decision.principal != NULL && !method_is_safe(exchange->request.method)) {
        if (exchange_record_refused(exchange)) {
            exchange_enter(exchange, EXCHANGE_REFUSING);
            return;
        }
        COUNT(worker->service, unrecorded);
        journal_missed(worker->service->journal, 1);
    }
    exchange_reply_refusal(exchange);
}

static void wipe(struct span bytes)
{
    if (bytes.length > 0)
        explicit_bzero((void *)(uintptr_t)bytes.data, bytes.length);
}

void exchange_wipe_secrets(const struct exchange *exchange)
{
    const struct field *authorization = field_find(&exchange->request, "Authorization");

    if (authorization != NULL)
        wipe(authorization->value);
    wipe(exchange->request.body);
}

/* The intent is on its way to the disk. False: it cannot be; *why says what is wrong with the journal, NULL
 * that too much waits for it. */
static bool record_change(struct exchange *exchange, const char **why)
{
    if (!journal_usable(exchange->worker->service->journal, why) || !exchange_record_intent(exchange))
        return false;
    exchange_enter(exchange, EXCHANGE_RECORDING);
    return true;
}

static void refuse_change(struct exchange *exchange, const char *why)
{
    const char *detail = arena_format(
        &exchange->arena,
        "The change was not sent: the audit journal cannot be written (%s). Reads are served; try again "
        "when the gate's operator has mended it.",
        why ? why : "too many records wait for the disk");
    struct refusal *refusal = exchange_refusal(exchange, REFUSE_JOURNAL, "journal", detail ? detail : "");

    refusal_field(refusal, &exchange->arena, "Retry-After", "5");
    exchange_refuse(exchange);
}

/* The gate before has let the journal go, or that was waited for long enough. */
static void on_journal(void *arg, bool open)
{
    struct exchange *exchange = arg;
    const char *why = NULL;
    (void)open;

    if (exchange->client->gone) {
        exchange->failure = "the client left before the change was sent";
        (void)exchange_refusal(exchange, REFUSE_CLIENT_GONE, "client", exchange->failure);
        exchange_refuse(exchange);
    } else if (!record_change(exchange, &why)) {
        refuse_change(exchange, why);
    }
}

static void carry_out(struct exchange *exchange)
{
    const char *why = NULL;

    if (!exchange->mutation) {
        exchange_forward(exchange);
        return;
    }
    if (record_change(exchange, &why))
        return;
    if (why != NULL && journal_await(exchange->worker->port, on_journal, exchange))
        exchange_enter(exchange, EXCHANGE_AWAITING);
    else if (why == NULL || !record_change(exchange, &why)) /* it may just have been opened */
        refuse_change(exchange, why);
}

/* What the exchange is judged by. */
static struct decide_input input_of(const struct exchange *exchange)
{
    return (struct decide_input){
        .contract = ruleset_contract(exchange->ruleset),
        .policy = ruleset_policy(exchange->ruleset),
        .scratch = exchange->worker->scratch,
        .oauth = {ruleset_keys(exchange->ruleset), exchange->worker->tokens},
    };
}

void exchange_judge(struct exchange *exchange)
{
    const struct decide_input input = input_of(exchange);
    struct decision *decision = &exchange->decision;

    decide(&input, &exchange->request, &exchange->arena, decision);
    if (ruleset_shadow(exchange->ruleset) != NULL)
        exchange_ask_shadow(exchange);
}

void exchange_go_on(struct exchange *exchange)
{
    exchange_ask_shadow_again(exchange);
    if (is_tried(exchange))
        exchange_reply_dry_run(exchange);
    else
        carry_out(exchange);
}

void exchange_turn_away(struct exchange *exchange)
{
    exchange->passed = false;
    exchange_wipe_secrets(exchange);
    exchange_refuse(exchange);
}

void exchange_begin(struct client *client, struct evhttp_request *evhttp_request)
{
    struct exchange *exchange = make(client);

    if (exchange == NULL) {
        client_cut(client);
        return;
    }
    exchange->keep = client_keeps(client);
    exchange->decision.arena = &exchange->arena;
    bool viewed = view_request(exchange, evhttp_request);
    const struct field *parent = field_find(&exchange->request, "traceparent");
    trace_begin(&exchange->trace, parent ? parent->value : (struct span){NULL, 0},
                &exchange->worker->entropy);
    if (!viewed)
        (void)exchange_refusal(exchange, REFUSE_INTERNAL, "spelling", "Memory is out. Nothing was sent on.");
    else if (!exchange_name_client(exchange))
        exchange_refuse_crowd(exchange);
    else
        exchange_judge(exchange);
    exchange_enter(exchange, EXCHANGE_DECIDED);
    exchange->mutation = (exchange->decision.obligations & OBLIGE_JOURNAL) != 0;
    exchange->passed = exchange->decision.verdict != VERDICT_REFUSE && exchange_admit(exchange);
    if (!exchange->passed)
        exchange_turn_away(exchange);
    else if (!exchange_is_repeat(exchange) && !exchange_awaits_approval(exchange) &&
             exchange_is_prepared(exchange))
        exchange_go_on(exchange);
}

/* ---- refusals without a request ---- */

/* Whom a refused request claims to come from, and what it wanted: so that a refused mutation of a known
 * principal is in the journal, whatever was wrong with it. */
static void look_at_header(struct exchange *exchange)
{
    const struct decide_input input = input_of(exchange);

    if (!view_header(exchange))
        return;
    exchange->decision.now = exchange->request.now;
    identify(&input, &exchange->request, &exchange->decision);
}

static void refuse_unparsed(struct client *client, enum refusal_kind kind, const char *rule,
                            const char *detail)
{
    struct exchange *exchange = make(client);

    if (exchange == NULL) {
        client_cut(client);
        return;
    }
    exchange->keep = false;
    exchange->decision.arena = &exchange->arena;
    exchange->decision.credential = CREDENTIAL_OWN;
    if (wire_header_complete(&client->incoming->wire))
        look_at_header(exchange);
    (void)exchange_name_client(exchange);
    trace_begin(&exchange->trace, (struct span){NULL, 0}, &exchange->worker->entropy);
    struct refusal *refusal = exchange_refusal(exchange, kind, "wire", detail);
    if (kind == REFUSE_OVERLOADED)
        refusal_field(refusal, &exchange->arena, "Retry-After", "1");
    exchange->decision.rule = rule;
    exchange_enter(exchange, EXCHANGE_DECIDED);
    exchange_refuse(exchange);
}

void exchange_refuse_wire(struct client *client, enum wire_fault fault)
{
    figure_add(&client->worker->tally.wire[fault], 1);
    refuse_unparsed(client, wire_refusal_kind(fault), wire_fault_name(fault), wire_fault_detail(fault));
}

void exchange_refuse_late(struct client *client)
{
    refuse_unparsed(client, REFUSE_TIMEOUT, "deadline",
                    "The request did not arrive in time. Nothing was sent on.");
}

void exchange_refuse_overload(struct client *client, const char *rule, const char *detail)
{
    COUNT(client->worker->service, shed);
    refuse_unparsed(client, REFUSE_OVERLOADED, rule, detail);
}

/* ---- what comes from the client's side ---- */

void exchange_client_gone(struct exchange *exchange)
{
    if (exchange->state == EXCHANGE_PREPARING) {
        exchange_unprepare(exchange);
        return;
    }
    if (exchange->state != EXCHANGE_FORWARDED || exchange->mutation)
        return; /* a journal callback, or the upstream's answer to a mutation, goes on from here */
    upstream_cancel(exchange->call);
    exchange->call = NULL;
    const char *fault = exchange->client->incoming->fault;
    exchange->failure = fault != NULL ? fault : "the client left";
    if (!exchange->head_sent)
        exchange->status = 0;
    exchange_cut(exchange);
}

void exchange_drained(struct exchange *exchange)
{
    if (exchange->call != NULL)
        upstream_resume(exchange->call);
}

void exchange_abort(struct exchange *exchange)
{
    step_log(exchange->request_id, exchange->mutation ? "change" : "read", STATE_NAMES[exchange->state],
             "aborted");
    if (exchange->call != NULL)
        upstream_cancel(exchange->call);
    exchange->call = NULL;
    inquiry_cancel(exchange->inquiry);
    exchange->inquiry = NULL;
    journal_forget(exchange->worker->port, exchange);
    if (exchange->mutation &&
        (exchange->state == EXCHANGE_RECORDING || exchange->state == EXCHANGE_FORWARDED))
        exchange_record_aborted(exchange);
    exchange->failure = "the gate stopped";
    if (!exchange->head_sent)
        exchange->status = 0;
    exchange_record_read(exchange);
    exchange->client->exchange = NULL;
    exchange_log(exchange);
    put_away(exchange);
}
