/* What only the upstream knows of an integration, asked before a change of it is decided and recorded: before
 * a hard delete always, before an update where policy, rule or client want it. Where it cannot be had, the
 * change is not sent. */
#include "policies/entity_tag.h"
#include "policies/fields.h"
#include "policies/refusal.h"
#include "proxy/config/config.h"
#include "proxy/upstream/collect.h"
#include "proxy/worker/client.h"
#include "proxy/worker/exchange_internal.h"
#include "proxy/worker/incoming.h"
#include "proxy/worker/worker.h"

#define PRE_IMAGE (FACT_INTEGRATION | FACT_SETTINGS)

/* ---- what is needed ---- */

/* Is the operation about one integration: …/integrations/{id}, with or without something behind it? */
static bool names_integration(const struct decision *decision)
{
    const struct operation *operation = decision->operation;

    return decision->organization.length > 0 && decision->resource.length > 0 && operation->resource > 0 &&
           span_is(operation->segments[operation->resource - 1].literal, "integrations");
}

/* Is it about the integration's settings? */
static bool names_settings(const struct operation *operation)
{
    return operation->segment_count == (size_t)operation->resource + 2 &&
           span_is(operation->segments[operation->resource + 1].literal, "settings");
}

/* What is asked before a change, whatever the rules look at. */
static unsigned promised(const struct exchange *exchange)
{
    const struct decision *decision = &exchange->decision;
    bool approved = decision->approval != NULL; /* it is bound to them */
    bool radius = approved || exchange->worker->service->config->facts.radius == RADIUS_ALWAYS;
    bool conditional = field_find(&exchange->request, "If-Match") != NULL;

    if (!exchange->mutation || !names_integration(decision))
        return 0;
    switch (decision->operation->effect) {
    case EFFECT_HARD_DELETE:
        return PRE_IMAGE | (radius ? FACT_RADIUS : 0);
    case EFFECT_UPDATE:
        return approved || policy_pre_image(ruleset_policy(exchange->ruleset)) || conditional ||
                       decision->orders.dry_run
                   ? PRE_IMAGE
                   : 0;
    default:
        return 0;
    }
}

static unsigned needed(const struct exchange *exchange)
{
    const struct decision *decision = &exchange->decision;

    return promised(exchange) | (decision->verdict == VERDICT_NEED ? decision->needs : 0);
}

/* ---- refusals ---- */

static void turn_away(struct exchange *exchange, enum refusal_kind kind, const char *detail)
{
    (void)exchange_refusal(exchange, kind, "facts", detail ? detail : "");
    exchange_turn_away(exchange);
}

/* If-Match that is no condition, or is about nothing that could be looked at. */
static bool has_bad_condition(struct exchange *exchange)
{
    if (field_find(&exchange->request, "If-Match") == NULL || !exchange->mutation)
        return false;
    if (!names_integration(&exchange->decision))
        (void)exchange_refusal(exchange, REFUSE_MALFORMED_FIELD, "facts",
                               "If-Match is for the update or the delete of one integration.");
    else if (if_match_judge(&exchange->request, (struct span){NULL, 0}) == IF_MATCH_MALFORMED)
        (void)exchange_refusal(exchange, REFUSE_MALFORMED_FIELD, "facts",
                               "If-Match must be \"*\" or a list of entity tags in double quotes.");
    else
        return false;
    return true;
}

static void refuse_brokered(struct exchange *exchange)
{
    const struct decision *decision = &exchange->decision;

    turn_away(exchange, REFUSE_BROKERED,
              arena_format(&exchange->arena,
                           "The integration goes through a broker, and the API does not delete such a one. "
                           "Nothing was sent on. First switch its broker off by V1: PUT "
                           "/v1/org/%.*s/integrations/%.*s with {\"type\": \"%s\", \"broker\": {\"enabled\": "
                           "false}, \"credentials\": …}; the gate does not forward V1.",
                           (int)decision->organization.length, decision->organization.data,
                           (int)decision->resource.length, decision->resource.data,
                           survey_type(exchange->survey)));
}

static void refuse_type(struct exchange *exchange)
{
    turn_away(exchange, REFUSE_NO_REGISTRY,
              arena_format(&exchange->arena,
                           "The integration is of type \"%.64s\". The API deletes container registries only. "
                           "Nothing was sent on. Remove it in the settings of the organization, at "
                           "app.snyk.io.",
                           survey_type(exchange->survey)));
}

static void refuse_unread(struct exchange *exchange)
{
    const struct survey_failure *failure = &exchange->survey->failure;
    const char *why = failure->why != NULL ? failure->why : "the answer does not say what it is";

    exchange->failure = why;
    bool deletes = exchange->decision.operation->effect == EFFECT_HARD_DELETE;
    const char *detail = arena_format(
        &exchange->arena,
        "The integration could not be read before the %s: %s. The %s was not sent: what it "
        "would %s must be in the journal first.",
        deletes ? "delete" : "update", why, deletes ? "delete" : "update", deletes ? "destroy" : "change");

    if (failure->status == 429) {
        exchange_refuse_shielded(exchange, exchange_hold_back(exchange, failure->wait_s));
        exchange_turn_away(exchange);
        return;
    }
    bool overloaded = failure->status == 0 && failure->kind == UPSTREAM_OVERLOADED && failure->why != NULL;
    struct refusal *refusal = exchange_refusal(exchange, overloaded ? REFUSE_OVERLOADED : REFUSE_PRE_IMAGE,
                                               "facts", detail ? detail : "");
    if (overloaded)
        refusal_field(refusal, &exchange->arena, "Retry-After", "1");
    exchange_turn_away(exchange);
}

/* ---- what was found ---- */

/* Why a delete cannot go on, whatever the rules say. */
static enum delete_obstacle obstacle(const struct exchange *exchange)
{
    const struct survey *survey = exchange->survey;

    if (exchange->decision.operation->effect != EFFECT_HARD_DELETE ||
        !names_integration(&exchange->decision) || (survey->facts.had & FACT_INTEGRATION) == 0)
        return DELETE_POSSIBLE;
    return survey_obstacle(survey);
}

static bool refuse_obstacle(struct exchange *exchange, enum delete_obstacle found)
{
    switch (found) {
    case DELETE_BROKERED:
        refuse_brokered(exchange);
        return true;
    case DELETE_NO_REGISTRY:
        refuse_type(exchange);
        return true;
    case DELETE_UNDESCRIBED:
        refuse_unread(exchange);
        return true;
    case DELETE_POSSIBLE:
        break;
    }
    return false;
}

/* RFC 9110 §13.1.1, for the resource that the request would change. */
static bool is_as_demanded(struct exchange *exchange)
{
    const struct survey *survey = exchange->survey;
    struct text tag = {0};

    exchange_add_tag(exchange,
                     names_settings(exchange->decision.operation) ? survey->settings : survey->integration,
                     &tag);
    enum if_match found = if_match_judge(&exchange->request, (struct span){tag.data, tag.length});
    text_free(&tag);
    return found == IF_MATCH_NONE || found == IF_MATCH_TRUE;
}

/* Judges with what is known now. What an inquiry that ended early did not ask for is not to be had either;
 * but where the change cannot go on anyway, that is left to say. */
static void judge_again(struct exchange *exchange, enum delete_obstacle found)
{
    struct facts *facts = &exchange->survey->facts;

    exchange->request.facts = facts;
    decision_free(&exchange->decision);
    exchange_judge(exchange);
    if (exchange->decision.verdict != VERDICT_NEED || found != DELETE_POSSIBLE)
        return;
    facts->failed |= exchange->decision.needs & ~facts->had;
    decision_free(&exchange->decision);
    exchange_judge(exchange);
}

/* All that can be known is: refuses, or goes on. */
static void conclude(struct exchange *exchange)
{
    struct survey *survey = exchange->survey;
    unsigned needs = promised(exchange) & PRE_IMAGE;
    enum delete_obstacle found;

    if (survey->absent) {
        turn_away(exchange, REFUSE_NOT_THERE,
                  "The API does not show an integration of this id in this organization to the credential "
                  "that would be presented. Nothing was sent on.");
        return;
    }
    found = obstacle(exchange);
    if (exchange->decision.verdict == VERDICT_NEED)
        judge_again(exchange, found);
    if (exchange->decision.verdict == VERDICT_REFUSE)
        exchange_turn_away(exchange);
    else if (refuse_obstacle(exchange, found))
        return;
    else if ((needs & ~survey->facts.had) != 0 || exchange->decision.verdict != VERDICT_PASS)
        refuse_unread(exchange);
    else if (!is_as_demanded(exchange))
        turn_away(exchange, REFUSE_PRECONDITION,
                  "The integration is not as If-Match demands: it was changed, or the entity tag is of "
                  "another gate, key or version. The change was not sent. Read it again, and look.");
    else
        exchange_go_on(exchange);
}

static void on_survey(void *arg, struct survey *survey)
{
    struct exchange *exchange = arg;
    struct service *service = exchange->worker->service;

    exchange->inquiry = NULL;
    exchange->survey = survey;
    COUNT_MANY(service, facts_requests, survey->reads);
    if (survey->facts.failed != 0 || survey->failure.why != NULL || survey->unknown.why != NULL)
        COUNT(service, facts_failed);
    conclude(exchange);
}

/* ---- asking ---- */

static bool start(struct exchange *exchange, unsigned wanted)
{
    const struct config *config = exchange->worker->service->config;
    const struct decision *decision = &exchange->decision;
    int64_t due_us = clock_monotonic_us() + (int64_t)config->facts.timeout_ms * 1000;
    const struct field fields[] = {
        {SPAN("X-Forwarded-For"), peer_forwarded(exchange->request.client)},
        {SPAN("traceparent"), span_of(exchange->trace.parent)},
        {SPAN("X-Request-Id"), span_of(exchange->request_id)},
    };
    struct field *kept = arena_take(&exchange->arena, sizeof fields);
    const struct inquiry_subject subject = {
        .wanted = wanted,
        .deleting = decision->operation->effect == EFFECT_HARD_DELETE,
        .base = contract_base(ruleset_contract(exchange->ruleset)),
        .organization = decision->organization,
        .integration = decision->resource,
        .version = decision->version,
        .credential = exchange_authorization(exchange),
        .owner = upstream_owner(
            exchange->worker->service->upstream, span_of(decision->principal->name),
            (struct span){(const char *)exchange->fingerprint.words, sizeof exchange->fingerprint.words}),
        .fields = kept,
        .field_count = sizeof fields / sizeof *fields,
        .requests = config->facts.requests,
        .page_bytes = config->upstream.json_bytes,
        .due_us = exchange->client->incoming->total_us != 0 && exchange->client->incoming->total_us < due_us
                      ? exchange->client->incoming->total_us
                      : due_us,
    };

    if (kept == NULL || subject.credential.data == NULL)
        return false;
    memcpy(kept, fields, sizeof fields);
    exchange->inquiry = inquiry_start(exchange->worker->upstream, &subject, on_survey, exchange);
    return exchange->inquiry != NULL;
}

/* There is nothing to ask the API for: what is needed counts as not to be had. */
static void conclude_unasked(struct exchange *exchange, unsigned wanted)
{
    exchange->survey = survey_new();
    if (exchange->survey == NULL) {
        turn_away(exchange, REFUSE_INTERNAL, "Memory is out. Nothing was sent on.");
        return;
    }
    exchange->survey->facts.failed = wanted;
    conclude(exchange);
}

bool exchange_is_prepared(struct exchange *exchange)
{
    unsigned wanted = needed(exchange);

    if (has_bad_condition(exchange)) {
        exchange_turn_away(exchange);
        return false;
    }
    if (wanted == 0)
        return true;
    if (!names_integration(&exchange->decision))
        conclude_unasked(exchange, wanted);
    else if (exchange_authorization(exchange).data == NULL)
        turn_away(exchange, REFUSE_CREDENTIAL,
                  "The upstream credential that the policy names for this principal or organization cannot "
                  "be read by the gate. Nothing was sent on.");
    else if (!exchange_is_alone(exchange))
        return false;
    else if (start(exchange, wanted))
        exchange_enter(exchange, EXCHANGE_PREPARING);
    else
        turn_away(exchange, REFUSE_INTERNAL, "Memory is out. Nothing was sent on.");
    return false;
}

void exchange_unprepare(struct exchange *exchange)
{
    inquiry_cancel(exchange->inquiry);
    exchange->inquiry = NULL;
    exchange->failure = "the client left before the change was sent";
    turn_away(exchange, REFUSE_CLIENT_GONE, exchange->failure);
}
