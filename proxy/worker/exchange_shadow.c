/* A candidate for the policy, judged beside it: what it would decide otherwise is counted and told, and
 * nothing comes of it. It sees the same request, with the facts that the policy in force asked for. */
#include "proxy/base/log.h"
#include "proxy/worker/client.h"
#include "proxy/worker/exchange_internal.h"
#include "proxy/worker/worker.h"

#define LINE_SECONDS 1 /* between two lines of the log; the access log has each */

static bool same_text(const char *one, const char *other)
{
    return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

static bool same_due(const struct rule_due *one, const struct rule_due *other)
{
    for (; one != NULL && other != NULL; one = one->next, other = other->next) {
        const struct rule *a = one->rule, *b = other->rule;
        if (strcmp(a->id, b->id) != 0 || a->approval.people != b->approval.people ||
            a->approval.seconds != b->approval.seconds || a->budget.requests != b->budget.requests ||
            a->budget.seconds != b->budget.seconds || a->budget.each != b->budget.each ||
            a->budget.until_reset != b->budget.until_reset)
            return false;
    }
    return one == other; /* both at their end */
}

static bool same_demands(const struct decision *one, const struct decision *other)
{
    return one->obligations == other->obligations && same_due(one->approvals, other->approvals) &&
           same_due(one->budgets, other->budgets);
}

static const char *principal_name(const struct decision *decision)
{
    return decision->principal != NULL ? decision->principal->name : NULL;
}

static enum shadow_result compare(const struct decision *policy, const struct decision *shadow)
{
    if (policy->verdict == VERDICT_NEED || shadow->verdict == VERDICT_NEED)
        return SHADOW_CANNOT_SAY;
    if (policy->verdict != shadow->verdict)
        return shadow->verdict == VERDICT_PASS ? SHADOW_WOULD_ALLOW : SHADOW_WOULD_REFUSE;
    if (policy->verdict == VERDICT_REFUSE)
        return same_text(policy->refusal.code, shadow->refusal.code) ? SHADOW_AGREES
                                                                     : SHADOW_REFUSES_OTHERWISE;
    if (!same_text(principal_name(policy), principal_name(shadow)))
        return SHADOW_OTHER_PRINCIPAL;
    return same_demands(policy, shadow) ? SHADOW_AGREES : SHADOW_DEMANDS_OTHERWISE;
}

/* The id of the rule that decided, where it was one of the list; NULL otherwise. */
static const char *rule_id(const struct decision *decision)
{
    for (const struct refusal_member *member = decision->refusal.meta; member != NULL; member = member->next)
        if (strcmp(member->name, "rule") == 0)
            return member->value;
    return NULL;
}

/* Keeps of a decision what is told. Its texts live as long as the exchange: in the arena, or with the
 * ruleset. */
static void keep(struct shadow_view *view, const struct decision *decision)
{
    view->gate = decision->gate;
    view->rule = decision->rule;
    view->rule_id = rule_id(decision);
    view->code = decision->verdict == VERDICT_REFUSE ? decision->refusal.code : NULL;
}

void exchange_ask_shadow(struct exchange *exchange)
{
    const struct decide_input input = {
        .contract = ruleset_contract(exchange->ruleset),
        .policy = ruleset_shadow(exchange->ruleset),
        .scratch = exchange->worker->scratch,
        .oauth = {.keys = ruleset_keys(exchange->ruleset)}, /* what it remembers is of the policy in force */
    };
    struct shadow_view *view = &exchange->shadow;
    const struct decision *policy = &exchange->decision;
    struct decision shadow;

    view->result = SHADOW_CANNOT_SAY;
    if (policy->verdict == VERDICT_NEED)
        return; /* asked again when the facts are there */
    decide(&input, &exchange->request, &exchange->arena, &shadow);
    view->result = compare(policy, &shadow);
    keep(view, view->result == SHADOW_WOULD_ALLOW ? policy : &shadow);
    decision_free(&shadow);
}

void exchange_ask_shadow_again(struct exchange *exchange)
{
    if (exchange->shadow.result != SHADOW_CANNOT_SAY || exchange->survey == NULL)
        return;
    exchange->request.facts = &exchange->survey->facts;
    exchange_ask_shadow(exchange);
}

static void tell(const struct exchange *exchange)
{
    const struct shadow_view *view = &exchange->shadow;
    const struct decision *decision = &exchange->decision;
    struct service *service = exchange->worker->service;
    unsigned long held;

    if (log_allow(&service->shadow_told, LINE_SECONDS, &held))
        log_event(LOG_INFO, "shadow",
                  "request %s: %s %s, principal %s: gate %s, rule %s, code %s; %lu others not told here",
                  exchange->request_id, shadow_result_name(view->result),
                  decision->operation != NULL ? decision->operation->id : "no operation",
                  decision->principal != NULL ? decision->principal->name : "-", view->gate,
                  view->rule != NULL ? view->rule : "-", view->code != NULL ? view->code : "-", held);
}

void exchange_count_shadow(const struct exchange *exchange)
{
    const struct shadow_view *view = &exchange->shadow;

    shadow_tally_request(&exchange->worker->shadow, view->result, view->gate, view->rule_id);
    if (shadow_disagrees(view->result))
        tell(exchange);
}
