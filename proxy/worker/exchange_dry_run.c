/* Portcullis-Dry-Run: what would become of a change, told in place of doing it. Nothing was reserved, nothing
 * but reads was sent. */
#include "proxy/audit/keys.h"
#include "proxy/worker/exchange_internal.h"
#include "proxy/worker/worker.h"

static void add_member(struct text *out, const char *name, struct span value)
{
    if (value.data == NULL)
        return;
    text_add_format(out, ",\"%s\":", name);
    text_add_json(out, value);
}

static void add_due(struct text *out, const char *kind, const struct rule_due *due)
{
    for (; due != NULL; due = due->next) {
        text_add_string(out, ",\"");
        text_add_format(out, "%s:%s\"", kind, due->rule->id);
    }
}

/* "journal" first: every change has that one. */
static void add_obligations(struct text *out, const struct decision *decision)
{
    text_add_string(out, ",\"obligations\":[\"journal\"");
    if ((decision->obligations & OBLIGE_APPROVAL) != 0)
        add_due(out, "approval", decision->approvals);
    if ((decision->obligations & OBLIGE_BUDGET) != 0)
        add_due(out, "budget", decision->budgets);
    if ((decision->obligations & OBLIGE_BREAK_GLASS) != 0)
        text_add_string(out, ",\"break-glass\"");
    text_add_string(out, "]");
}

static void add_refusal(struct text *out, const struct refusal *refusal)
{
    text_add_format(out, ",\"status\":%d", refusal->status);
    add_member(out, "code", span_of(refusal->code));
    add_member(out, "detail", span_of(refusal->errors ? refusal->errors->detail : refusal->title));
    for (const struct refusal_member *member = refusal->meta; member != NULL; member = member->next)
        add_member(out, member->name, span_of(member->value));
}

static void add_decision(struct exchange *exchange, struct text *out)
{
    const struct decision *decision = &exchange->decision;
    bool refused = decision->verdict == VERDICT_REFUSE;

    text_add_string(out, refused ? ",\"decision\":{\"verdict\":\"refuse\""
                                 : ",\"decision\":{\"verdict\":\"pass\"");
    add_member(out, "gate", span_of(decision->gate));
    add_member(out, "decided_by", span_of(decision->rule));
    if (refused)
        add_refusal(out, &decision->refusal);
    else
        add_obligations(out, decision);
    if (!refused)
        exchange_add_approval(exchange, out);
    if (decision->observed.gate != NULL)
        add_member(out, "would_refuse", span_of(decision->observed.refusal.code));
    text_add_string(out, "}");
}

/* What was found out, for who may read it by themselves. */
static void add_survey(struct exchange *exchange, struct text *out)
{
    const struct survey *survey = exchange->survey;

    if (survey == NULL || !exchange_may(exchange, "org.integration.read"))
        return;
    if (survey->integration != NULL) {
        text_add_string(out, ",\"pre_image\":");
        survey_write_before(survey, audit_key_mask, exchange->worker->service->key, out);
    }
    if (((survey->facts.had | survey->facts.failed) & FACT_RADIUS) != 0 &&
        exchange_may(exchange, "org.project.read")) {
        text_add_string(out, ",\"radius\":");
        survey_write_radius(survey, out);
    }
}

/* What would be sent. */
static void add_request(struct exchange *exchange, struct text *out)
{
    const struct decision *decision = &exchange->decision;
    struct span body;

    if (decision->verdict == VERDICT_REFUSE)
        return;
    text_add_string(out, ",\"request\":{\"method\":");
    text_add_json(out, span_of(decision->operation->method));
    add_member(out, "target", decision->forward);
    add_member(out, "credential", span_of(decision->credential == CREDENTIAL_OWN ? "own" : "gate"));
    if (exchange_mask_body(exchange, &body) && body.length > 0) {
        text_add_string(out, ",\"body\":");
        text_add(out, body.data, body.length);
    }
    text_add_string(out, "}");
}

void exchange_reply_dry_run(struct exchange *exchange)
{
    struct text *out = &exchange->rewritten;

    exchange->tried = true;
    text_clear(out);
    text_add_string(out, "{\"jsonapi\":{\"version\":\"1.0\"},\"meta\":{\"dry_run\":true,\"request_id\":");
    text_add_json(out, span_of(exchange->request_id));
    add_decision(exchange, out);
    add_survey(exchange, out);
    add_request(exchange, out);
    text_add_string(out, "}}");
    exchange_record_dry_run(exchange);
    exchange_wipe_secrets(exchange);
    exchange_reply_document(exchange);
}
