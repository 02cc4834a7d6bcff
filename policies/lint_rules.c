/* Rules that cannot matter, and budgets that do not protect whom they are shared by. */
#include "policies/lint_internal.h"
#include "policies/uuid.h"

/* ---- nobody may ask for what it is about ---- */

/* What the operations of the rule need, one set for each; is any of them within the set? */
static bool about_any(const struct lint *lint, const struct rule *rule, permission_set allowed)
{
    for (size_t i = 0; i < lint->operation_count; i++) {
        const struct operation *operation = &lint->operations[i];
        if (rule_is_about(rule, operation, NULL) && operation->permission != 0 &&
            (operation->permission & ~allowed) == 0)
            return true;
    }
    return false;
}

/* May the holder of the grant do something there that the rule is about? All that it has there counts, not
 * this grant alone. */
static bool grant_matters(const struct lint *lint, const struct rule *rule, const struct grant *grant)
{
    const struct policy *policy = lint->policy;
    char id[UUID_TEXT_SIZE] = "";

    if (lint_gives(lint, grant) == 0 || !rule_names_principal(rule, &policy->principals[grant->principal]))
        return false;
    if (grant->organization != EVERYWHERE) {
        uuid_spell(policy->organizations[grant->organization].id, id);
        if (!rule_names_organization(rule, span_of(id)))
            return false;
    }
    struct access access =
        policy_access(policy, &policy->principals[grant->principal], grant->organization, lint->now);
    return about_any(lint, rule, access.allowed | access.lapsed);
}

static bool rule_matters(struct lint *lint, const struct rule *rule)
{
    for (uint32_t i = 0; i < lint->policy->grant_count; i++)
        if (!lint_step(lint) || grant_matters(lint, rule, &lint->policy->grants[i]))
            return true;
    return false;
}

void lint_never_applies(struct lint *lint)
{
    for (size_t i = 0; i < policy_rule_count(lint->policy); i++) {
        const struct rule *rule = policy_rule_at(lint->policy, i);
        if (!rule_matters(lint, rule))
            lint_warn(lint, rule->pointer, "no grant allows anybody what it is about: it never applies");
    }
}

/* ---- scopes ---- */

static bool covers_operations(const struct lint *lint, const struct rule *wide, const struct rule *narrow)
{
    for (size_t i = 0; i < lint->operation_count; i++)
        if (rule_is_about(narrow, &lint->operations[i], NULL) && !lint_rule_about(wide, &lint->operations[i]))
            return false;
    return true;
}

static bool covers_principals(const struct lint *lint, const struct rule *wide, const struct rule *narrow)
{
    if (wide->principal_count == 0)
        return true;
    for (uint32_t i = 0; i < narrow->principal_count; i++)
        if (!rule_names_principal(wide, &lint->policy->principals[narrow->principals[i]]))
            return false;
    return narrow->principal_count > 0;
}

static bool covers_organizations(const struct rule *wide, const struct rule *narrow)
{
    char id[UUID_TEXT_SIZE];

    if (wide->organization_count == 0)
        return true;
    for (uint32_t i = 0; i < narrow->organization_count; i++) {
        uuid_spell(narrow->organizations[i], id);
        if (!rule_names_organization(wide, span_of(id)))
            return false;
    }
    return narrow->organization_count > 0;
}

/* Is the one about whatever the other is about? */
static bool covers(const struct lint *lint, const struct rule *wide, const struct rule *narrow)
{
    return covers_operations(lint, wide, narrow) && covers_principals(lint, wide, narrow) &&
           covers_organizations(wide, narrow);
}

static bool is_unconditional(const struct rule *rule)
{
    return rule->when.count == 0 && rule->unless.count == 0;
}

void lint_shadowed(struct lint *lint)
{
    for (size_t i = 0; i < policy_rule_count(lint->policy); i++) {
        const struct rule *narrow = policy_rule_at(lint->policy, i);
        for (size_t at = 0; at < policy_rule_count(lint->policy) && lint_step(lint); at++) {
            const struct rule *wide = policy_rule_at(lint->policy, at);
            /* of two that deny the same, the first one in the file is the one that is named */
            if (wide == narrow || wide->effect != RULE_DENY || !is_unconditional(wide) ||
                (narrow->effect == RULE_DENY && at > i) || !covers(lint, wide, narrow))
                continue;
            lint_warn(lint, narrow->pointer, "\"%s\" denies all that it is about, always: it never decides",
                      wide->id);
            break;
        }
    }
}

/* ---- budgets ---- */

/* Does the rule hold each principal to less than the whole of the shared budget? */
static bool caps(const struct lint *lint, const struct rule *cap, const struct rule *shared)
{
    return cap->effect == RULE_BUDGET && cap->budget.each == BUDGET_PRINCIPAL && is_unconditional(cap) &&
           cap->budget.requests < shared->budget.requests && cap->budget.seconds >= shared->budget.seconds &&
           covers(lint, cap, shared);
}

static bool is_capped(const struct lint *lint, const struct rule *shared)
{
    for (size_t i = 0; i < policy_rule_count(lint->policy); i++)
        if (caps(lint, policy_rule_at(lint->policy, i), shared))
            return true;
    return false;
}

void lint_budgets(struct lint *lint)
{
    for (size_t i = 0; i < policy_rule_count(lint->policy); i++) {
        const struct rule *rule = policy_rule_at(lint->policy, i);
        if (rule->effect != RULE_BUDGET || rule->budget.each == BUDGET_PRINCIPAL ||
            rule->principal_count == 1 || lint->policy->principal_count < 2 || is_capped(lint, rule))
            continue;
        lint_warn(
            lint, rule->pointer,
            "one principal alone can spend it and so shut out the others: add a budget of fewer than %u "
            "requests in %u seconds or more for each principal, about the same",
            rule->budget.requests, rule->budget.seconds);
    }
}
