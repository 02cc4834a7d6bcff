/* Four eyes: a change that a rule wants approved by others is asked for in the journal, and passes once when
 * enough people have agreed to just this change of just this pre-image and no larger blast radius.
 *
 * What is known of an approval before the intent is written only saves work. The journal's writer decides,
 * when the intent claims the approval: it is used up, or the claim is refused, and from there the course goes
 * on here: the change is asked for, or one that is for other facts is made void first. */
#include "policies/approve.h"
#include "proxy/audit/journal.h"
#include "proxy/base/log.h"
#include "proxy/worker/exchange_digest.h"
#include "proxy/worker/exchange_internal.h"
#include "proxy/worker/worker.h"

#define ROUNDS 3 /* of asking and voiding in one exchange, where others do the same at the same time */

/* How one approval stands. Texts live in the arena. */
struct standing {
    const char *id, *expires; /* NULL: there is none */
    unsigned given;           /* people, of those who still count */
    unsigned needed;
    struct span *entitled; /* the principals who gave it and still count; no two have a person in common */
    size_t entitled_count;
};

/* All rules that demand approval are to be satisfied by one. */
static struct approval demand(const struct decision *decision)
{
    struct approval all = {.people = 0, .seconds = CLAIM_SECONDS};

    for (const struct rule_due *due = decision->approvals; due != NULL; due = due->next) {
        const struct approval *one = &due->rule->approval;

        all.people = one->people > all.people ? one->people : all.people;
        all.seconds = one->seconds < all.seconds ? one->seconds : all.seconds;
    }
    return all.people > 0 ? all : decision->approval->approval;
}

/* ---- how it stands ---- */

/* The principal of that name, if its agreement counts by the policy in force now; NULL otherwise. */
static const struct principal *entitled_named(const struct exchange *exchange, const char *name)
{
    const struct decision *decision = &exchange->decision;
    const struct policy *policy = ruleset_policy(exchange->ruleset);
    const struct principal *approver = name ? policy_principal_named(policy, span_of(name)) : NULL;
    bool may = approver != NULL && policy_may_approve(policy, approver, decision->principal,
                                                      decision->organization, decision->now) == APPROVE_MAY;

    return may ? approver : NULL;
}

/* Has anybody been counted who is, in part at least, the same people? By the policy in force now: when they
 * agreed, others may have stood behind them. */
static bool is_counted(const struct exchange *exchange, const struct standing *standing,
                       const struct principal *approver)
{
    const struct policy *policy = ruleset_policy(exchange->ruleset);

    for (size_t i = 0; i < standing->entitled_count; i++)
        if (policy_is_owner(policy_principal_named(policy, standing->entitled[i]), approver))
            return true;
    return false;
}

static bool count_given(struct exchange *exchange, const json_t *given, struct standing *standing)
{
    size_t i;
    json_t *one;

    standing->entitled = arena_take(&exchange->arena, (json_array_size(given) + 1) * sizeof(struct span));
    if (standing->entitled == NULL)
        return false;
    json_array_foreach (given, i, one) {
        const struct principal *approver =
            entitled_named(exchange, json_string_value(json_object_get(one, "principal")));

        if (approver == NULL || is_counted(exchange, standing, approver))
            continue;
        struct span copy = arena_copy(&exchange->arena, span_of(approver->name));
        if (copy.data == NULL)
            return false;
        standing->entitled[standing->entitled_count++] = copy;
        standing->given++;
    }
    return true;
}

/* The approval that waits for the same request, if there is one. False when memory is out. */
static bool look(struct exchange *exchange, struct standing *standing)
{
    struct span request = exchange_digest_request(exchange);

    *standing = (struct standing){.needed = demand(&exchange->decision).people};
    if (request.data == NULL)
        return false;
    json_t *view = journal_approval_for(exchange->worker->service->journal, request, clock_now_us());
    bool right = count_given(exchange, json_object_get(view, "given"), standing);
    if (view != NULL) {
        const char *id = json_string_value(json_object_get(view, "id"));
        const char *expires = json_string_value(json_object_get(view, "expires"));

        standing->id = arena_copy(&exchange->arena, span_of(id)).data;
        standing->expires = arena_copy(&exchange->arena, span_of(expires)).data;
        right = right && standing->id != NULL && standing->expires != NULL;
    }
    json_decref(view);
    return right;
}

static void read_verdict(struct exchange *exchange, const struct claim_verdict *verdict,
                         struct standing *standing)
{
    char expires[CLOCK_TEXT];

    clock_format(verdict->expires_us, expires);
    *standing = (struct standing){
        .id = arena_copy(&exchange->arena, span_of(verdict->approval)).data,
        .expires = arena_copy(&exchange->arena, span_of(expires)).data,
        .given = verdict->given,
        .needed = verdict->needed,
    };
}

/* ---- refusals ---- */

static void add_number(struct exchange *exchange, const char *name, unsigned number)
{
    const char *text = arena_format(&exchange->arena, "%u", number);

    refusal_meta(&exchange->decision.refusal, &exchange->arena, name, text ? text : "");
}

/* The refusal that says what it waits for. */
static void refuse(struct exchange *exchange, const struct standing *standing)
{
    struct decision *decision = &exchange->decision;
    const struct rule *rule = decision->approvals ? decision->approvals->rule : decision->approval;
    const char *before = exchange->approval_void ? exchange->approval_void : "";
    const char *detail = arena_format(
        &exchange->arena,
        "The rule \"%s\" demands approval by others: %s %s%s%u of %u people have approved it, as %s, which "
        "lasts until %s. Send the same request again when all have. Nothing was sent on.",
        rule->id, rule->reason, before, before[0] != '\0' ? " " : "", standing->given, standing->needed,
        standing->id ? standing->id : "", standing->expires ? standing->expires : "");

    rule_refuse(decision, rule);
    decision->verdict = VERDICT_REFUSE;
    decision->gate = "approval";
    if (detail != NULL && decision->refusal.errors != NULL)
        decision->refusal.errors->detail = detail;
    refusal_meta(&decision->refusal, &exchange->arena, "approval", standing->id ? standing->id : "");
    add_number(exchange, "people", standing->needed);
    add_number(exchange, "given", standing->given);
    refusal_meta(&decision->refusal, &exchange->arena, "expires", standing->expires ? standing->expires : "");
}

static void refuse_journal(struct exchange *exchange, const char *why)
{
    const char *detail = arena_format(&exchange->arena,
                                      "The change was not sent: it needs approval, and that cannot be asked "
                                      "for in the audit journal (%s). Try again later.",
                                      why);
    struct refusal *refusal = exchange_refusal(exchange, REFUSE_JOURNAL, "journal", detail ? detail : "");

    refusal_field(refusal, &exchange->arena, "Retry-After", "5");
    exchange_turn_away(exchange);
}

static void refuse_many(struct exchange *exchange)
{
    const char *detail = arena_format(
        &exchange->arena,
        "%u requests of \"%s\" wait for approval, as many as may. Nobody was asked for this one, and nothing "
        "was sent on. Have one of them approved and used, or withdrawn, or wait until one expires.",
        CLAIM_PENDING, exchange->decision.principal->name);

    (void)exchange_refusal(exchange, REFUSE_APPROVAL_LIMIT, "approval", detail ? detail : "");
    exchange->decision.rule = "approval-limit";
    exchange_turn_away(exchange);
}

bool exchange_awaits_approval(struct exchange *exchange)
{
    struct standing standing;

    if (exchange->decision.approval == NULL || exchange->decision.orders.dry_run)
        return false;
    if (!look(exchange, &standing) || standing.id == NULL || standing.given >= standing.needed)
        return false;
    refuse(exchange, &standing);
    exchange_turn_away(exchange);
    return true;
}

/* ---- what is claimed ---- */

/* What approval and request for one have in common. */
static bool begin_claim(struct exchange *exchange, struct claim *claim)
{
    const struct survey *survey = exchange->survey;
    struct approval all = demand(&exchange->decision);

    *claim = (struct claim){
        .request = exchange_digest_request(exchange),
        .facts = exchange_digest_facts(exchange),
        .targets = CLAIM_NO_RADIUS,
        .projects = CLAIM_NO_RADIUS,
        .people = all.people,
        .seconds = all.seconds,
    };
    if (survey != NULL && survey->facts.targets.state == FACT_NUMBER_KNOWN)
        claim->targets = survey->facts.targets.value;
    if (survey != NULL && survey->facts.projects.state == FACT_NUMBER_KNOWN)
        claim->projects = survey->facts.projects.value;
    return claim->request.data != NULL && claim->facts.data != NULL;
}

bool exchange_claim_approval(struct exchange *exchange, struct exchange_claims *claims)
{
    struct claim *claim = &claims->list[claims->count];
    struct standing standing;

    if ((exchange->decision.obligations & OBLIGE_APPROVAL) == 0)
        return true;
    if (claims->count == CLAIMS_MOST || !begin_claim(exchange, claim) || !look(exchange, &standing))
        return false;
    claim->kind = CLAIM_APPROVAL;
    claim->id = span_of(standing.id);
    claim->entitled = standing.entitled;
    claim->entitled_count = standing.entitled_count;
    claims->count++;
    return true;
}

/* ---- asking ---- */

static void tell_asked(const struct exchange *exchange, const struct standing *standing)
{
    const struct decision *decision = &exchange->decision;

    COUNT(exchange->worker->service, approvals_asked);
    log_event(
        LOG_INFO, "approval-requested",
        "request %s: \"%s\" needs %u people to approve %s in %.*s by rule \"%s\", until %s: approval %s",
        exchange->request_id, decision->principal->name, standing->needed, decision->operation->id,
        (int)decision->organization.length, decision->organization.data ? decision->organization.data : "",
        decision->approvals->rule->id, standing->expires ? standing->expires : "",
        standing->id ? standing->id : "");
}

static void ask(struct exchange *exchange)
{
    const struct decision *decision = &exchange->decision;
    struct claim claim;

    if (++exchange->approval_rounds > ROUNDS) {
        refuse_journal(exchange, "others ask for the same, with other facts, at the same time");
        return;
    }
    if (!begin_claim(exchange, &claim)) {
        refuse_journal(exchange, "memory is out");
        return;
    }
    entropy_uuid(&exchange->worker->entropy, exchange->approval_id);
    claim.kind = CLAIM_ASK;
    claim.id = span_of(exchange->approval_id);
    claim.rule = span_of(decision->approvals->rule->id);
    claim.principal = span_of(decision->principal->name);
    if (exchange_record_approval(exchange, &claim))
        exchange_enter(exchange, EXCHANGE_ASKING);
    else
        refuse_journal(exchange, "too much waits for the disk");
}

/* What is not any more as it was approved. */
static const char *change_since(struct exchange *exchange, struct span id)
{
    json_t *view = journal_approval(exchange->worker->service->journal, id, clock_now_us());
    const char *facts = json_string_value(json_object_get(view, "facts"));
    bool same = facts != NULL && span_is(exchange_digest_facts(exchange), facts);
    const char *why =
        view == NULL ? "What was to be approved has changed."
        : same ? "The approval before is void: more hangs on the integration than when it was asked for."
               : "The approval before is void: the integration was changed since it was asked for.";

    json_decref(view);
    return why;
}

static void make_void(struct exchange *exchange, const struct claim_verdict *verdict)
{
    struct claim claim = {.kind = CLAIM_VOID, .id = arena_copy(&exchange->arena, span_of(verdict->approval))};

    if (++exchange->approval_rounds > ROUNDS) {
        refuse_journal(exchange, "others ask for the same, with other facts, at the same time");
        return;
    }
    exchange->approval_void = change_since(exchange, claim.id);
    if (claim.id.data != NULL && exchange_record_approval(exchange, &claim))
        exchange_enter(exchange, EXCHANGE_ASKING);
    else
        refuse_journal(exchange, "too much waits for the disk");
}

/* ---- what the writer says ---- */

static void refuse_as_it_stands(struct exchange *exchange, const struct claim_verdict *verdict)
{
    struct standing standing;

    read_verdict(exchange, verdict, &standing);
    refuse(exchange, &standing);
    exchange_turn_away(exchange);
}

bool exchange_seeks_approval(struct exchange *exchange, const struct claim_verdict *verdict)
{
    if (verdict->result == CLAIM_APPROVAL_STALE)
        make_void(exchange, verdict);
    else if (verdict->result != CLAIM_NOT_APPROVED)
        return false;
    else if (verdict->approval[0] == '\0')
        ask(exchange);
    else
        refuse_as_it_stands(exchange, verdict);
    return true;
}

/* The request for approval is the record of this refusal: there is no second one. */
static void asked(struct exchange *exchange, const struct claim_verdict *verdict)
{
    struct standing standing;

    read_verdict(exchange, verdict, &standing);
    tell_asked(exchange, &standing);
    refuse(exchange, &standing);
    exchange->passed = false;
    exchange_wipe_secrets(exchange);
    exchange_reply_refusal(exchange);
}

void exchange_approval_asked(struct exchange *exchange, bool durable, const struct claim_verdict *verdict)
{
    switch (verdict->result) {
    case CLAIMS_TAKEN:
        if (durable)
            asked(exchange, verdict);
        else
            refuse_journal(exchange, "the request for approval could not be made durable");
        break;
    case CLAIM_PENDING_ALREADY:
        refuse_as_it_stands(exchange, verdict);
        break;
    case CLAIM_APPROVAL_STALE:
        make_void(exchange, verdict);
        break;
    case CLAIM_TOO_MANY:
        refuse_many(exchange);
        break;
    case CLAIMS_FULL:
        refuse_journal(exchange, "as many requests as may wait for approval in all");
        break;
    default:
        refuse_journal(exchange, "the request for approval could not be made durable");
        break;
    }
}

void exchange_approval_voided(struct exchange *exchange, bool durable, const struct claim_verdict *verdict)
{
    if (durable)
        log_event(LOG_INFO, "approval-void", "request %s: approval %s: %s", exchange->request_id,
                  verdict->approval, exchange->approval_void);
    if (durable || verdict->result == CLAIM_NOT_FOUND) /* somebody else was first */
        ask(exchange);
    else
        refuse_journal(exchange, "that an approval is void could not be made durable");
}

void exchange_add_approval(struct exchange *exchange, struct text *out)
{
    struct standing standing;

    if ((exchange->decision.obligations & OBLIGE_APPROVAL) == 0 || !look(exchange, &standing))
        return;
    text_add_format(out, ",\"approval\":{\"people\":%u,\"seconds\":%u", standing.needed,
                    demand(&exchange->decision).seconds);
    if (standing.id != NULL)
        text_add_format(out, ",\"pending\":{\"id\":\"%s\",\"given\":%u,\"expires\":\"%s\"}", standing.id,
                        standing.given, standing.expires);
    text_add_string(out, "}");
}
