/* Clients that send a change again: because its answer never came, or before it could.
 *
 * An Idempotency-Key (draft-ietf-httpapi-idempotency-key-header) belongs to the principal: the request that
 * was made with it before is answered as it was then. And no change is under way twice at the same time,
 * whatever key it has. As with an approval, what is known before the intent only saves work: the journal's
 * writer decides, in the step that gives the intent its place. */
#include "proxy/audit/journal.h"
#include "proxy/audit/keys.h"
#include "proxy/worker/exchange_digest.h"
#include "proxy/worker/exchange_internal.h"
#include "proxy/worker/worker.h"

#include <stdlib.h>

#define GATE "repeat"

/* ---- what is claimed ---- */

static bool add(struct exchange_claims *claims, enum claim_kind kind, struct span scope, struct span request,
                const char *principal)
{
    if (scope.data == NULL || request.data == NULL || claims->count == CLAIMS_MOST)
        return false;
    claims->list[claims->count++] =
        (struct claim){.kind = kind, .scope = scope, .request = request, .principal = span_of(principal)};
    return true;
}

bool exchange_claim_repeat(struct exchange *exchange, struct exchange_claims *claims)
{
    struct span request = exchange_digest_request(exchange);

    if (exchange->decision.orders.key.data != NULL &&
        !add(claims, CLAIM_KEY, exchange_digest_key(exchange), request, exchange->decision.principal->name))
        return false;
    return add(claims, CLAIM_TWIN, request, request, NULL);
}

/* ---- what is answered ---- */

static void refuse(struct exchange *exchange, enum refusal_kind kind, const char *rule,
                   const struct claim_verdict *verdict, const char *detail)
{
    struct refusal *refusal =
        exchange_refusal(exchange, kind, GATE, detail ? detail : "Memory is out. Nothing was sent on.");

    exchange->decision.rule = rule;
    if (verdict->request_id[0] != '\0') {
        const char *first = arena_format(&exchange->arena, "%s", verdict->request_id);
        refusal_meta(refusal, &exchange->arena, "first_request_id", first ? first : "");
    }
    if (kind == REFUSE_KEY_IN_FLIGHT || kind == REFUSE_TWIN)
        refusal_field(refusal, &exchange->arena, "Retry-After", "1");
    exchange_turn_away(exchange);
}

/* The member `replay` of an outcome, as exchange_write_replay has it. NULL when it cannot be read. */
static json_t *read_replay(const struct claim_verdict *verdict)
{
    struct json_fault fault;

    return verdict->replay.data != NULL ? json_read_strict(verdict->replay, DOCUMENT_DEPTH, &fault) : NULL;
}

/* The first request is done, and its answer is not to be had. */
static void refuse_done(struct exchange *exchange, const struct claim_verdict *verdict)
{
    const char *what =
        verdict->status != 0
            ? arena_format(&exchange->arena, "was answered %u, and the answer was not kept", verdict->status)
            : arena_format(&exchange->arena, "was never answered; the gate has looked and found: %s",
                           verdict->found);

    refuse(
        exchange, REFUSE_KEY_DONE, "key-done", verdict,
        arena_format(&exchange->arena,
                     "The request %s with the same Idempotency-Key %s. It was not sent again. See what the "
                     "API holds, and use a new key for another change.",
                     verdict->request_id, what ? what : "is done"));
}

static bool write_document(struct text *text, const json_t *document)
{
    char *dump = json_dumps(document, JSON_COMPACT | JSON_SORT_KEYS);

    text_clear(text);
    if (dump != NULL)
        text_add_string(text, dump);
    free(dump);
    return dump != NULL && !text->failed;
}

/* As the first request was answered. */
static void answer_again(struct exchange *exchange, const struct claim_verdict *verdict)
{
    json_t *replay = read_replay(verdict);
    const char *first = arena_format(&exchange->arena, "%s", verdict->request_id);
    struct span location = span_of(json_string_value(json_object_get(replay, "location")));
    const json_t *body = json_object_get(replay, "body");

    if (replay == NULL || first == NULL || verdict->status == 0) {
        json_decref(replay);
        refuse_done(exchange, verdict);
        return;
    }
    text_clear(&exchange->rewritten);
    if (body != NULL && !write_document(&exchange->rewritten, body)) {
        json_decref(replay);
        refuse_done(exchange, verdict);
        return;
    }
    exchange->decision.gate = GATE;
    exchange->decision.rule = "replayed";
    exchange_wipe_secrets(exchange);
    COUNT(exchange->worker->service, replayed);
    exchange_reply_again(exchange, (int)verdict->status, location, first);
    json_decref(replay);
}

static void refuse_twin(struct exchange *exchange, const struct claim_verdict *verdict)
{
    refuse(exchange, REFUSE_TWIN, "twin-in-flight", verdict,
           "The same request of the same principal is under way, or what became of it is not known yet. It "
           "was not sent a second time. Wait for the first one's answer; with an Idempotency-Key the gate "
           "repeats it.");
}

bool exchange_answers_repeat(struct exchange *exchange, const struct claim_verdict *verdict)
{
    switch (verdict->result) {
    case CLAIM_KEY_DONE:
        answer_again(exchange, verdict);
        return true;
    case CLAIM_KEY_OTHER:
        refuse(
            exchange, REFUSE_KEY_REUSED, "key-reused", verdict,
            "This Idempotency-Key was used for another request within the last day. Nothing was sent on. Use "
            "a new key for a new request.");
        return true;
    case CLAIM_KEY_IN_FLIGHT:
        refuse(
            exchange, REFUSE_KEY_IN_FLIGHT, "key-in-flight", verdict,
            "The first request with this Idempotency-Key has no answer yet. It was not sent again. Ask again "
            "with the same key for its answer.");
        return true;
    case CLAIM_KEY_UNKNOWN:
        refuse(
            exchange, REFUSE_KEY_UNKNOWN, "key-unknown", verdict,
            "What became of the first request with this Idempotency-Key is not known. It was not sent again. "
            "See what the API holds; the journal says under that request's id what the gate finds out.");
        return true;
    case CLAIM_TWIN_IN_FLIGHT:
        refuse_twin(exchange, verdict);
        return true;
    default:
        return false;
    }
}

bool exchange_is_repeat(struct exchange *exchange)
{
    struct exchange_claims claims = {.count = 0};
    struct claim_verdict verdict;

    if (!exchange->mutation || exchange->decision.orders.dry_run)
        return false;
    if (!exchange_claim_repeat(exchange, &claims)) {
        (void)exchange_refusal(exchange, REFUSE_INTERNAL, GATE, "Memory is out. Nothing was sent on.");
        exchange_turn_away(exchange);
        return true;
    }
    journal_look(exchange->worker->service->journal, claims.list, claims.count, clock_now_us(),
                 &exchange->arena, &verdict);
    return exchange_answers_repeat(exchange, &verdict);
}

/* The journal's writer comes later: before it the API is asked about the change, and that as often as the
 * same request was sent at the same time. A dry run is nobody's twin. */
bool exchange_is_alone(struct exchange *exchange)
{
    const struct claim_verdict first = {.result = CLAIM_TWIN_IN_FLIGHT};
    struct span request = exchange_digest_request(exchange);

    if (!exchange->mutation || exchange->decision.orders.dry_run || request.data == NULL)
        return true; /* without memory for its digest no intent is written either */
    if (underway_enter(exchange->worker->service->underway, &exchange->alone, request))
        return true;
    refuse_twin(exchange, &first);
    return false;
}

/* ---- what is kept ---- */

/* The body, its secrets masked, as a member; false when it cannot be kept. */
static bool write_body(const struct exchange *exchange, struct text *replay)
{
    struct json_fault fault;
    json_t *body;

    if (exchange->no_body || exchange->body.length == 0)
        return true;
    if (!exchange->json || exchange->body.length > CLAIM_REPLAY_BYTES)
        return false;
    body =
        json_read_strict((struct span){exchange->body.data, exchange->body.length}, DOCUMENT_DEPTH, &fault);
    if (body == NULL)
        return false;
    text_add_string(replay, "\"body\":");
    schema_write_masked(NULL, body, audit_key_mask, exchange->worker->service->key, replay);
    json_decref(body);
    return true;
}

void exchange_write_replay(const struct exchange *exchange, struct text *replay)
{
    if (exchange->decision.orders.key.data == NULL || !exchange->mutation || !exchange->answered)
        return;
    text_add_string(replay, "{");
    bool kept = write_body(exchange, replay);
    if (kept && exchange->location.data != NULL) {
        text_add_string(replay, replay->length > 1 ? ",\"location\":" : "\"location\":");
        text_add_json(replay, exchange->location);
    }
    text_add_string(replay, "}");
    if (!kept || replay->failed || replay->length > CLAIM_REPLAY_BYTES)
        text_clear(replay);
}
