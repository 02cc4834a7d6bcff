/* What an exchange writes into the journal, and how it goes on when that is on the disk. */
#include "proxy/audit/keys.h"
#include "proxy/audit/reconcile.h"
#include "proxy/audit/record.h"
#include "proxy/base/fault_point.h"
#include "proxy/base/log.h"
#include "proxy/worker/client.h"
#include "proxy/worker/exchange_internal.h"
#include "proxy/worker/worker.h"

static const char *effect_name(const struct operation *operation)
{
    static const char *const names[] = {[EFFECT_READ] = "read",
                                        [EFFECT_CREATE] = "create",
                                        [EFFECT_UPDATE] = "update",
                                        [EFFECT_HARD_DELETE] = "hard-delete"};

    return operation ? names[operation->effect] : NULL;
}

/* The target without its query where that was not judged: an unknown parameter may hold anything. */
static struct span target_of(struct exchange *exchange)
{
    const struct decision *decision = &exchange->decision;
    struct target path;

    if (decision->forward.data != NULL)
        return decision->forward;
    if (!decision->target_ok)
        return (struct span){NULL, 0};
    path = decision->target;
    path.parameter_count = 0;
    return target_write(&path, &exchange->arena);
}

/* How much the journal is told; without an operation there is nothing to ask the policy about. */
static enum audit_level level_of(const struct exchange *exchange)
{
    const struct operation *operation = exchange->decision.operation;

    return operation != NULL ? ruleset_audit_level(exchange->ruleset, operation) : AUDIT_REQUEST;
}

/* What every record of the exchange says. */
static struct record_fields common(struct exchange *exchange, enum record_stage stage)
{
    const struct decision *decision = &exchange->decision;

    return (struct record_fields){
        .stage = stage,
        .time_us = clock_now_us(),
        .certificate = exchange_certificate(decision),
        .client = exchange->request.client,
        .effect = span_of(effect_name(decision->operation)),
        .gate = span_of(decision->gate),
        .identity = exchange_identity(decision),
        .level = span_of(decision->operation ? audit_level_name(level_of(exchange)) : NULL),
        .method = exchange->request.method,
        .operation = span_of(decision->operation ? decision->operation->id : NULL),
        .organization = decision->organization,
        .policy = span_of(policy_digest(ruleset_policy(exchange->ruleset))),
        .principal = span_of(decision->principal ? decision->principal->name : NULL),
        .reason = decision->orders.break_glass.data ? decision->orders.break_glass : decision->orders.reason,
        .request_id = span_of(exchange->request_id),
        .resource = decision->resource,
        .rule = span_of(decision->rule),
        .severity = span_of((decision->obligations & OBLIGE_BREAK_GLASS) != 0 ? "critical" : NULL),
        .target = target_of(exchange),
        .trace_id = trace_id(&exchange->trace),
        .version = decision->version,
        .would_refuse = span_of(decision->observed.refusal.code),
        .would_rule = span_of(decision->observed.rule),
    };
}

bool exchange_mask_body(struct exchange *exchange, struct span *masked)
{
    const struct decision *decision = &exchange->decision;
    struct text *text = &exchange->masked;

    *masked = (struct span){NULL, 0};
    if (decision->body == NULL)
        return true;
    if (text->length == 0)
        schema_write_masked(decision->operation ? decision->operation->body : NULL, decision->body,
                            audit_key_mask, exchange->worker->service->key, text);
    if (text->failed)
        return false;
    *masked = (struct span){text->data, text->length};
    return true;
}

/* The same for a record: nothing where the policy wants no bodies. */
static bool tell_body(struct exchange *exchange, struct span *masked)
{
    return level_of(exchange) < AUDIT_REQUEST || exchange_mask_body(exchange, masked);
}

static bool append(struct exchange *exchange, const struct record_fields *fields, journal_done *done)
{
    struct record record = {0};
    bool built = record_build(fields, &record);

    record.owed = fields->stage == STAGE_OUTCOME;
    record.spare = fields->stage == STAGE_READ || fields->stage == STAGE_REFUSED ||
                   fields->stage == STAGE_DRY_RUN || fields->stage == STAGE_REPLAYED;
    if (done != NULL)
        exchange->waiting_since_us = clock_monotonic_us();
    bool appended = built && journal_append(exchange->worker->port, &record, done, done ? exchange : NULL);

    record_free(&record);
    return appended;
}

/* The same for a record that claims; nothing is written where a claim is refused. */
static bool append_claiming(struct exchange *exchange, struct record_fields *fields,
                            const struct claim *claims, size_t count, journal_claimed *claimed)
{
    struct record record = {0};
    struct text text = {0};

    claims_write(claims, count, &text);
    fields->claims = (struct span){text.data, text.length};
    bool built = !text.failed && record_build(fields, &record);
    exchange->waiting_since_us = clock_monotonic_us();
    bool appended =
        built && journal_append_claiming(exchange->worker->port, &record, claims, count, claimed, exchange);
    record_free(&record);
    text_free(&text);
    return appended;
}

/* For an intent and all that it claims. */
static bool append_intent(struct exchange *exchange, struct record_fields *fields, journal_done *done,
                          journal_claimed *claimed)
{
    struct exchange_claims claims;

    if (!exchange_collect_claims(exchange, &claims))
        return false;
    if (claims.count == 0)
        return append(exchange, fields, done);
    return append_claiming(exchange, fields, claims.list, claims.count, claimed);
}

/* A record that it waited for is on the disk, or lost. */
static void count_wait(const struct exchange *exchange)
{
    histogram_add(&exchange->worker->tally.journal, &histogram_durations,
                  (uint64_t)(clock_monotonic_us() - exchange->waiting_since_us));
}

/* How the exchange ended. The answer's texts are the caller's to free. */
static void add_outcome(struct exchange *exchange, struct record_fields *fields, struct answer_texts *answer)
{
    int64_t now = clock_monotonic_us();

    fields->status = record_number((uint64_t)exchange->status);
    if (exchange->upstream_status != 0)
        fields->upstream_status = record_number((uint64_t)exchange->upstream_status);
    if (exchange->upstream_request_id[0] != '\0')
        fields->upstream_request_id = span_of(exchange->upstream_request_id);
    if (exchange->forwarded_us != 0)
        fields->duration_us = record_number((uint64_t)(now - exchange->forwarded_us));
    fields->sent = exchange->sent ? RECORD_TRUE : RECORD_FALSE;
    fields->detail = span_of(exchange->failure);
    if (level_of(exchange) == AUDIT_ANSWER)
        exchange_add_answer(exchange, fields, answer);
    exchange_write_replay(exchange, &answer->replay);
    if (answer->replay.length > 0)
        fields->replay = (struct span){answer->replay.data, answer->replay.length};
    if (exchange->mutation && !exchange->answered)
        fields->result = span_of(exchange->sent ? "unknown" : "not-sent");
}

/* ---- refused ---- */

static void on_refused_recorded(void *arg, bool durable)
{
    struct exchange *exchange = arg;

    count_wait(exchange);
    if (!durable)
        COUNT(exchange->worker->service, unrecorded);
    exchange_reply_refusal(exchange);
}

bool exchange_record_refused(struct exchange *exchange)
{
    struct record_fields fields = common(exchange, STAGE_REFUSED);
    const struct refusal *refusal = &exchange->decision.refusal;

    fields.status = record_number((uint64_t)refusal->status);
    fields.detail = span_of(refusal->code);
    bool appended = tell_body(exchange, &fields.body);
    appended = appended && append(exchange, &fields, on_refused_recorded);
    return appended;
}

/* ---- outcome ---- */

static void reply(struct exchange *exchange)
{
    if (exchange->decision.verdict == VERDICT_REFUSE)
        exchange_reply_refusal(exchange);
    else
        exchange_reply_collected(exchange);
}

/* The outcome is in the journal, or is not to be had there. When it is that nobody knows what became of the
 * mutation, the gate will look. */
static void after_outcome(struct exchange *exchange, bool recorded)
{

    if (!recorded)
        log_event(
            LOG_ERROR, "journal-outcome",
            "request %s: the outcome (status %d) is not durable, its intent is; it will be if the journal "
            "comes back before the gate stops",
            exchange->request_id, exchange->status);
    if (exchange->answered || !exchange->sent)
        return;
    struct record_fields intent = common(exchange, STAGE_INTENT);
    intent.time_us = exchange->began_epoch_us;
    (void)exchange_mask_body(exchange, &intent.body);
    reconcile_hand_over(exchange->worker->service->reconcile, &intent);
}

static void on_outcome_recorded(void *arg, bool durable)
{
    struct exchange *exchange = arg;

    FAULT_POINT("exchange-after-outcome");
    count_wait(exchange);
    after_outcome(exchange, durable);
    reply(exchange);
}

bool exchange_record_outcome(struct exchange *exchange)
{
    struct record_fields fields = common(exchange, STAGE_OUTCOME);
    struct answer_texts answer = {0};
    struct survey_texts found = {0};

    add_outcome(exchange, &fields, &answer);
    exchange_add_update(exchange, &fields, &found);
    FAULT_POINT("exchange-before-outcome");
    bool waits = exchange->worker->service->config->audit.reply == REPLY_DURABLE;
    bool appended = append(exchange, &fields, waits ? on_outcome_recorded : NULL);
    exchange_free_answer(&answer);
    exchange_free_survey(&found);
    if (appended && waits)
        return true;
    after_outcome(exchange, appended);
    return false;
}

void exchange_record_aborted(struct exchange *exchange)
{
    struct record_fields fields = common(exchange, STAGE_OUTCOME);
    struct answer_texts answer = {0};
    struct record record = {0};

    exchange->sent = exchange->state == EXCHANGE_FORWARDED;
    exchange->status = 503;
    exchange->failure = "the gate stopped before the exchange ended";
    add_outcome(exchange, &fields, &answer);
    bool built = record_build(&fields, &record);
    record.owed = exchange->sent;
    record.if_intended = !exchange->sent; /* the intent's callback has not come: only the writer knows */
    if (!built || !journal_append(exchange->worker->port, &record, NULL, NULL))
        log_event(LOG_ERROR, "journal-outcome",
                  "request %s: the outcome could not be recorded; if its intent is in the journal, the next "
                  "start finds out what became of it",
                  exchange->request_id);
    record_free(&record);
    exchange_free_answer(&answer);
}

/* ---- read ---- */

void exchange_record_read(struct exchange *exchange)
{
    const struct decision *decision = &exchange->decision;
    struct worker *worker = exchange->worker;
    struct answer_texts answer = {0};

    if (decision->operation == NULL || decision->operation->effect != EFFECT_READ ||
        decision->principal == NULL || level_of(exchange) == AUDIT_NONE)
        return;
    struct record_fields fields = common(exchange, STAGE_READ);
    if (exchange->forwarded_us != 0)
        fields.credential = span_of(decision->credential == CREDENTIAL_OWN ? "own" : "gate");
    bool appended = tell_body(exchange, &fields.body);
    add_outcome(exchange, &fields, &answer);
    if (decision->verdict == VERDICT_REFUSE && exchange->failure == NULL)
        fields.detail = span_of(decision->refusal.code);
    appended = appended && append(exchange, &fields, NULL);
    if (!appended) {
        COUNT(worker->service, unrecorded);
        journal_missed(worker->service->journal, 1);
    }
    exchange_free_answer(&answer);
}

/* ---- what nobody waits for ---- */

void exchange_record_replayed(struct exchange *exchange, const char *first_id)
{
    struct record_fields fields = common(exchange, STAGE_REPLAYED);

    fields.status = record_number((uint64_t)exchange->status);
    fields.replay_of = span_of(first_id);
    if (append(exchange, &fields, NULL))
        return;
    COUNT(exchange->worker->service, unrecorded);
    journal_missed(exchange->worker->service->journal, 1);
}

void exchange_record_dry_run(struct exchange *exchange)
{
    const struct decision *decision = &exchange->decision;
    struct record_fields fields = common(exchange, STAGE_DRY_RUN);
    struct survey_texts found = {0};
    bool refused = decision->verdict == VERDICT_REFUSE;

    fields.status = record_number(refused ? (uint64_t)decision->refusal.status : 200);
    if (refused)
        fields.detail = span_of(decision->refusal.code);
    fields.credential = span_of(decision->credential == CREDENTIAL_OWN ? "own" : "gate");
    exchange_add_survey(exchange, &fields, &found);
    bool appended = tell_body(exchange, &fields.body);
    appended = appended && append(exchange, &fields, NULL);
    if (!appended) {
        COUNT(exchange->worker->service, unrecorded);
        journal_missed(exchange->worker->service->journal, 1);
    }
    exchange_free_survey(&found);
}

/* ---- intent ---- */

static void refuse_unrecorded(struct exchange *exchange)
{
    struct refusal *refusal = exchange_refusal(
        exchange, REFUSE_JOURNAL, "journal",
        "The change was not sent: its intent could not be made durable in the audit journal. "
        "Reads are served; try again when the gate's operator has mended it.");

    refusal_field(refusal, &exchange->arena, "Retry-After", "5");
    exchange_refuse(exchange);
}

static void on_intent_recorded(void *arg, bool durable)
{
    struct exchange *exchange = arg;

    count_wait(exchange);
    if (!durable) {
        refuse_unrecorded(exchange);
        return;
    }
    FAULT_POINT("exchange-after-intent");
    if (!exchange->client->gone) {
        exchange_raise_alarm(exchange);
        exchange_forward(exchange);
        return;
    }
    exchange->failure = "the client left before the change was sent";
    exchange->status = 503;
    (void)exchange_refusal(exchange, REFUSE_CLIENT_GONE, "client", exchange->failure);
    if (exchange_record_outcome(exchange))
        exchange_enter(exchange, EXCHANGE_SETTLING);
    else
        exchange_reply_refusal(exchange);
}

static void on_intent_claimed(void *arg, bool durable, const struct claim_verdict *verdict)
{
    struct exchange *exchange = arg;

    if (durable || verdict->result == CLAIMS_LOST) {
        on_intent_recorded(exchange, durable);
        return;
    }
    count_wait(exchange);
    if (exchange_answers_repeat(exchange, verdict) || exchange_seeks_approval(exchange, verdict))
        return;
    if (exchange_claim_refused(exchange, verdict)) {
        exchange_turn_away(exchange);
    } else if (!exchange_record_intent(exchange)) {
        refuse_unrecorded(exchange);
    }
}

bool exchange_record_intent(struct exchange *exchange)
{
    struct survey_texts found = {0};
    struct record_fields fields = common(exchange, STAGE_INTENT);

    fields.credential = span_of(exchange->decision.credential == CREDENTIAL_OWN ? "own" : "gate");
    exchange_add_survey(exchange, &fields, &found);
    bool appended = tell_body(exchange, &fields.body) && !found.before.failed && !found.radius.failed;
    FAULT_POINT("exchange-before-intent");
    appended = appended && append_intent(exchange, &fields, on_intent_recorded, on_intent_claimed);
    exchange_free_survey(&found);
    return appended;
}

/* ---- approval ---- */

static void on_asked(void *arg, bool durable, const struct claim_verdict *verdict)
{
    count_wait(arg);
    exchange_approval_asked(arg, durable, verdict);
}

static void on_voided(void *arg, bool durable, const struct claim_verdict *verdict)
{
    count_wait(arg);
    exchange_approval_voided(arg, durable, verdict);
}

static bool record_void(struct exchange *exchange, const struct claim *claim)
{
    const struct record_fields all = common(exchange, STAGE_APPROVAL);
    struct record_fields fields = {
        .stage = STAGE_APPROVAL,
        .time_us = all.time_us,
        .approval = claim->id,
        .detail = span_of(exchange->approval_void),
        .operation = all.operation,
        .organization = all.organization,
        .policy = all.policy,
        .principal = all.principal,
        .request_id = all.request_id,
        .resource = all.resource,
        .result = SPAN("void"),
    };

    return append_claiming(exchange, &fields, claim, 1, on_voided);
}

/* It says all that an intent would, the body whatever the level: it is what people agree to. */
bool exchange_record_approval(struct exchange *exchange, const struct claim *claim)
{
    struct survey_texts found = {0};

    if (claim->kind == CLAIM_VOID)
        return record_void(exchange, claim);
    struct record_fields fields = common(exchange, STAGE_APPROVAL);
    fields.approval = claim->id;
    fields.gate = SPAN("approval");
    fields.rule = span_of(exchange->decision.approvals->rule->pointer);
    fields.result = SPAN("requested");
    fields.credential = span_of(exchange->decision.credential == CREDENTIAL_OWN ? "own" : "gate");
    exchange_add_survey(exchange, &fields, &found);
    bool appended =
        exchange_mask_body(exchange, &fields.body) && !found.before.failed && !found.radius.failed;
    appended = appended && append_claiming(exchange, &fields, claim, 1, on_asked);
    exchange_free_survey(&found);
    return appended;
}
