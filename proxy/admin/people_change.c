/* To agree, to take that back, to deny: judged by the policy in force, and answered when the journal has it.
 */
#include "policies/document.h"
#include "policies/fields.h"
#include "policies/utf8.h"
#include "proxy/admin/people_internal.h"
#include "proxy/audit/record.h"
#include "proxy/base/clock.h"
#include "proxy/base/log.h"
#include "proxy/http/reply.h"

#include <stdlib.h>

#define REASON_LONGEST 500 /* characters */
#define JSON_DEPTH     8

bool people_read_reason(struct people_request *ask, struct span *reason)
{
    struct span content = {ask->client->content.data, ask->client->content.length};
    const struct field *type = field_find(&ask->request, "Content-Type");
    struct json_fault fault = {0};

    if (type == NULL || !reply_is_json(type->value))
        return people_refuse(ask, REFUSE_MEDIA_TYPE, "Send {\"reason\": \"…\"} as application/json.", NULL);
    json_t *body = json_read_strict(content, JSON_DEPTH, &fault);
    if (body == NULL) {
        const char *detail =
            arena_format(&ask->arena, "line %u, column %u: %s", fault.line, fault.column, fault.message);
        return people_refuse(ask, REFUSE_MALFORMED_BODY, detail ? detail : "", NULL);
    }
    json_t *value = json_object_get(body, "reason");
    bool only = json_is_object(body) && json_object_size(body) == (value != NULL);
    struct span text = {json_string_value(value), json_string_length(value)};
    bool right = text.data != NULL && text_characters(text) - 1 < REASON_LONGEST;
    *reason = right ? arena_copy(&ask->arena, text) : (struct span){NULL, 0};
    json_decref(body);
    if (!only)
        return people_refuse(ask, REFUSE_INVALID_BODY, "It must be an object with the one member \"reason\".",
                             "");
    if (!right)
        return people_refuse(
            ask, REFUSE_INVALID_BODY,
            "It must be a text of 1 to 500 characters, with no control character among them.", "/reason");
    return reason->data != NULL || people_refuse(ask, REFUSE_INTERNAL, "Memory is out.", NULL);
}

static bool gave_it(const json_t *view, const struct principal *principal)
{
    size_t i;
    json_t *one;

    json_array_foreach (json_object_get(view, "given"), i, one) {
        const char *name = json_string_value(json_object_get(one, "principal"));
        if (name != NULL && strcmp(name, principal->name) == 0)
            return true;
    }
    return false;
}

/* Has somebody given it who is, in part at least, the same people? */
static bool same_person_gave(const struct people_request *ask, const json_t *view)
{
    size_t i;
    json_t *one;

    json_array_foreach (json_object_get(view, "given"), i, one) {
        const char *name = json_string_value(json_object_get(one, "principal"));
        const struct principal *other = name ? policy_principal_named(ask->policy, span_of(name)) : NULL;
        if (other != NULL && policy_is_owner(other, ask->who.principal))
            return true;
    }
    return gave_it(view, ask->who.principal);
}

/* Is another one under way for the same approval? What it will have changed is not known yet. */
static bool is_busy(const struct people_request *ask)
{
    const struct admin_client *other;

    TAILQ_FOREACH (other, &ask->client->admin->clients, link)
        if (other->change != NULL && span_is(ask->id, other->change->id))
            return true;
    return false;
}

/* May it be given? */
static bool may_give(struct people_request *ask)
{
    switch (people_right(ask, ask->approval)) {
    case APPROVE_NO_PERMISSION:
        return people_refuse(ask, REFUSE_FORBIDDEN, "That needs portcullis.approve in the organization.",
                             NULL);
    case APPROVE_IS_REQUESTER:
        return people_refuse(
            ask, REFUSE_MAY_NOT_APPROVE,
            "It is your own request, or of a principal that the policy does not have any more.", NULL);
    case APPROVE_OWNS_REQUESTER:
        return people_refuse(ask, REFUSE_MAY_NOT_APPROVE, "You and who asks for it have a person in common.",
                             NULL);
    case APPROVE_MAY:
        break;
    }
    return !same_person_gave(ask, ask->approval) || people_refuse(ask, REFUSE_APPROVED_BEFORE, NULL, NULL);
}

/* What is to be done, by the method. */
static bool choose(struct people_request *ask, enum claim_kind *kind)
{
    if (is_busy(ask)) {
        people_refuse(ask, REFUSE_OVERLOADED, "Another change of this approval is under way; try again.",
                      NULL);
        refusal_field(&ask->refusal, &ask->arena, "Retry-After", "1");
        return false;
    }
    *kind = CLAIM_GIVE;
    if (span_is(ask->request.method, "POST"))
        return may_give(ask);
    *kind = gave_it(ask->approval, ask->who.principal) ? CLAIM_WITHDRAW : CLAIM_VOID;
    return true; /* whoever may see it has asked for it, or may approve there */
}

static void begin_done(struct people_request *ask, struct admin_client *client)
{
    *ask = (struct people_request){
        .client = client, .ruleset = client->change->ruleset, .id = span_of(client->change->id)};
    ask->policy = ruleset_policy(ask->ruleset);
    arena_init(&ask->arena);
    ask->who = (struct decision){.arena = &ask->arena, .now = clock_now_us() / 1000000};
    ask->who.principal = policy_principal_named(ask->policy, span_of(client->change->principal));
}

static bool refuse_verdict(struct people_request *ask, enum claim_result result)
{
    switch (result) {
    case CLAIM_NOT_FOUND:
        return people_refuse(ask, REFUSE_NO_APPROVAL, NULL, NULL);
    case CLAIM_GIVEN_BEFORE:
        return people_refuse(ask, REFUSE_APPROVED_BEFORE, NULL, NULL);
    default:
        return people_refuse(ask, REFUSE_JOURNAL,
                             "Nothing was changed: it could not be recorded. Try again later.", NULL);
    }
}

static const char *state_after(enum claim_kind kind)
{
    return kind == CLAIM_VOID ? "void" : "gone"; /* used up or expired in the meantime */
}

static void reply_done(struct people_request *ask)
{
    struct admin_client *client = ask->client;
    json_t *view = journal_approval(client->admin->view->service->journal, ask->id, clock_now_us());
    json_t *data = view != NULL
                       ? people_make_resource(ask, view, true)
                       : json_pack("{s:s, s:s, s:{s:s}}", "type", "approval", "id", client->change->id,
                                   "attributes", "state", state_after(client->change->kind));
    static const char *const words[CLAIM_KINDS] = {
        [CLAIM_GIVE] = "given", [CLAIM_WITHDRAW] = "withdrawn", [CLAIM_VOID] = "void"};

    COUNT(client->admin->view->service, approvals_changed);
    log_event(LOG_INFO, "approval-changed", "approval %s: %s by \"%s\"", client->change->id,
              words[client->change->kind], ask->who.principal->name);
    json_decref(view);
    people_reply_document(client, data, true);
}

static void on_changed(void *arg, bool durable, const struct claim_verdict *verdict)
{
    struct people_request ask;

    begin_done(&ask, arg);
    if (durable) {
        reply_done(&ask);
    } else {
        refuse_verdict(&ask, verdict->result);
        admin_add_refusal(ask.client->admin, &ask.refusal, true, &ask.client->reply);
    }
    people_end_change(ask.client);
    arena_reset(&ask.arena);
    admin_client_reply(ask.client);
}

struct people_change *people_begin_change(struct people_request *ask, struct span name, enum claim_kind kind)
{
    struct people_change *waiting = calloc(1, sizeof *waiting);

    if (waiting == NULL)
        return NULL;
    (void)snprintf(waiting->id, sizeof waiting->id, "%.*s", (int)name.length, name.data);
    (void)snprintf(waiting->principal, sizeof waiting->principal, "%s", ask->who.principal->name);
    waiting->kind = kind;
    waiting->ruleset = ruleset_hold(ask->ruleset);
    ask->client->change = waiting;
    return waiting;
}

void people_end_change(struct admin_client *client)
{
    if (client->change == NULL)
        return;
    ruleset_release(client->change->ruleset);
    free(client->change);
    client->change = NULL;
}

void people_forget(struct admin_client *client)
{
    if (client->change == NULL)
        return;
    journal_forget(client->admin->port, client);
    people_end_change(client);
}

static bool append(struct people_request *ask, const struct claim *claim, struct span reason)
{
    static const char *const results[CLAIM_KINDS] = {
        [CLAIM_GIVE] = "given", [CLAIM_WITHDRAW] = "withdrawn", [CLAIM_VOID] = "void"};
    struct text claims = {0};
    struct record record = {0};

    claims_write(claim, 1, &claims);
    const struct record_fields fields = {
        .stage = STAGE_APPROVAL,
        .time_us = clock_now_us(),
        .approval = ask->id,
        .claims = {claims.data, claims.length},
        .detail = reason,
        .operation = people_member(ask->approval, "operation"),
        .organization = people_member(ask->approval, "organization"),
        .policy = span_of(policy_digest(ask->policy)),
        .principal = span_of(ask->who.principal->name),
        .resource = people_member(ask->approval, "resource"),
        .result = span_of(results[claim->kind]),
    };
    bool appended =
        !claims.failed && record_build(&fields, &record) &&
        journal_append_claiming(ask->client->admin->port, &record, claim, 1, on_changed, ask->client);
    record_free(&record);
    text_free(&claims);
    return appended;
}

bool people_change(struct people_request *ask)
{
    struct claim claim = {.id = ask->id, .principal = span_of(ask->who.principal->name)};
    struct span reason = {NULL, 0};
    size_t people;

    if (!people_read_reason(ask, &reason) || !choose(ask, &claim.kind))
        return false;
    const uint32_t *first = policy_people(ask->who.principal, &people);
    claim.person = span_of(policy_principal_at(ask->policy, first[0])->name);
    if (claim.kind == CLAIM_VOID)
        claim.principal = (struct span){NULL, 0};
    if (people_begin_change(ask, ask->id, claim.kind) == NULL || !append(ask, &claim, reason)) {
        people_end_change(ask->client);
        return refuse_verdict(ask, CLAIMS_LOST);
    }
    return true;
}
