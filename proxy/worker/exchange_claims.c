/* What a change claims in the journal along with its intent: from the budgets that rules set, and from the
 * principal's own for breaking the glass. */
#include "proxy/audit/claims.h"
#include "proxy/base/log.h"
#include "proxy/worker/exchange_internal.h"
#include "proxy/worker/worker.h"

/* Of the principal's own budget, where a rule's id would stand. The policy has no rule of that name. */
#define OWN "break-glass"

static bool add(struct exchange_claims *claims, const char *scope, unsigned requests, unsigned seconds,
                const struct rule *rule)
{
    if (scope == NULL || claims->count == CLAIMS_MOST)
        return false;
    claims->list[claims->count++] = (struct claim){.kind = CLAIM_BUDGET,
                                                   .scope = span_of(scope),
                                                   .requests = requests,
                                                   .seconds = seconds,
                                                   .until_reset = rule != NULL && rule->budget.until_reset};
    return true;
}

bool exchange_collect_claims(struct exchange *exchange, struct exchange_claims *claims)
{
    const struct decision *decision = &exchange->decision;
    const struct principal *principal = decision->principal;

    claims->count = 0;
    if ((decision->obligations & OBLIGE_BREAK_GLASS) != 0 &&
        !add(claims, arena_format(&exchange->arena, OWN "\n%s", principal->name),
             principal->break_glass.requests, principal->break_glass.seconds, NULL))
        return false;
    for (const struct rule_due *due = exchange->overspent ? NULL : decision->budgets; due != NULL;
         due = due->next)
        if (!add(claims,
                 arena_format(&exchange->arena, "%s\n%.*s", due->rule->id, (int)due->key.length,
                              due->key.data),
                 due->rule->budget.requests, due->rule->budget.seconds, due->rule))
            return false;
    /* behind the budgets: see rule_of */
    return exchange_claim_repeat(exchange, claims) && exchange_claim_approval(exchange, claims);
}

/* The rule that set the budget which had nothing left; NULL for the principal's own. Claims are collected in
 * the order of the decision's list, the own one before it. */
static const struct rule *rule_of(const struct exchange *exchange, size_t claim)
{
    size_t own = (exchange->decision.obligations & OBLIGE_BREAK_GLASS) != 0 ? 1 : 0;
    const struct rule_due *due = exchange->decision.budgets;

    if (claim < own)
        return NULL;
    for (claim -= own; claim > 0 && due != NULL; claim--)
        due = due->next;
    return due != NULL ? due->rule : NULL;
}

static void refuse_own(struct exchange *exchange)
{
    const struct principal *principal = exchange->decision.principal;
    const char *detail = arena_format(
        &exchange->arena,
        "\"%s\" has broken the glass as often as the policy allows: %u times in %u seconds. Nothing was sent "
        "on.",
        principal->name, principal->break_glass.requests, principal->break_glass.seconds);

    (void)exchange_refusal(exchange, REFUSE_BUDGET, "budget", detail ? detail : "");
    exchange->decision.rule = OWN;
}

static void refuse_spent(struct exchange *exchange, const struct claim_verdict *verdict)
{
    const struct rule *rule = rule_of(exchange, verdict->claim);
    struct refusal *refusal = &exchange->decision.refusal;

    if (rule == NULL)
        refuse_own(exchange);
    else
        rule_refuse(&exchange->decision, rule);
    exchange->decision.verdict = VERDICT_REFUSE;
    exchange->decision.gate = "budget";
    if (verdict->result == CLAIM_BREAKER_OPEN) {
        refusal_meta(refusal, &exchange->arena, "until", "reset");
        return;
    }
    const char *seconds = arena_format(&exchange->arena, "%u", verdict->retry_after_s);
    refusal_field(refusal, &exchange->arena, "Retry-After", seconds ? seconds : "1");
}

static void refuse_full(struct exchange *exchange, const char *why)
{
    const char *detail =
        arena_format(&exchange->arena,
                     "The change was not sent: what it claims in the journal could not be "
                     "reserved (%s). Nothing that is in force is forgotten for it: try again "
                     "when some of that is over.",
                     why);
    struct refusal *refusal = exchange_refusal(exchange, REFUSE_JOURNAL, "journal", detail ? detail : "");

    refusal_field(refusal, &exchange->arena, "Retry-After", "60");
}

/* False where the budget is a rule's and that is only observed: what it would have refused is noted. */
static bool is_refused(struct exchange *exchange, const struct claim_verdict *verdict)
{
    const char *rule = exchange->decision.rule, *gate = exchange->decision.gate;

    refuse_spent(exchange, verdict);
    if (rule_of(exchange, verdict->claim) == NULL || !decision_observe(&exchange->decision))
        return true;
    exchange->decision.rule = rule;
    exchange->decision.gate = gate;
    exchange->overspent = true;
    return false;
}

bool exchange_claim_refused(struct exchange *exchange, const struct claim_verdict *verdict)
{
    switch (verdict->result) {
    case CLAIM_BUDGET_SPENT:
    case CLAIM_BREAKER_OPEN:
        return is_refused(exchange, verdict);
    default:
        refuse_full(exchange, claim_result_name(verdict->result));
        return true;
    }
}

void exchange_raise_alarm(const struct exchange *exchange)
{
    const struct decision *decision = &exchange->decision;

    if ((decision->obligations & OBLIGE_BREAK_GLASS) == 0)
        return;
    COUNT(exchange->worker->service, glass_broken);
    log_event(LOG_ERROR, "break-glass", "request %s: \"%s\" breaks the glass for %s in %.*s: %.*s",
              exchange->request_id, decision->principal->name, decision->operation->id,
              (int)decision->organization.length, decision->organization.data,
              (int)decision->orders.break_glass.length, decision->orders.break_glass.data);
}
