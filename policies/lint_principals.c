/* Who may break the glass. */
#include "policies/lint_internal.h"

#include <stdlib.h>

/* What changes need, all of them together. */
static permission_set change_permissions(const struct lint *lint)
{
    permission_set set = 0;

    for (size_t i = 0; i < lint->operation_count; i++)
        if (lint->operations[i].effect != EFFECT_READ)
            set |= lint->operations[i].permission;
    return set;
}

void lint_break_glass(struct lint *lint)
{
    const struct policy *policy = lint->policy;
    bool *granted = calloc(policy->principal_count + 1u, sizeof *granted);
    permission_set changes = change_permissions(lint);

    if (granted == NULL) {
        lint->exhausted = true;
        return;
    }
    for (uint32_t i = 0; i < policy->grant_count && lint_step(lint); i++)
        if ((lint_gives(lint, &policy->grants[i]) & changes) != 0)
            granted[policy->grants[i].principal] = true;
    for (uint32_t i = 0; i < policy->principal_count && !lint->exhausted; i++) {
        const struct principal *principal = &policy->principals[i];
        struct text pointer = {0};
        if (principal->break_glass.requests == 0 || granted[i])
            continue;
        text_add_string(&pointer, "/principals");
        pointer_add(&pointer, principal->name);
        text_add_string(&pointer, "/break_glass");
        lint_warn(
            lint, pointer.data ? pointer.data : "",
            "\"%s\" may break the glass, but no grant lets it change anything: breaking it only passes rules",
            principal->name);
        text_free(&pointer);
    }
    free(granted);
}

static bool can_break(const struct lint *lint, const struct rule *rule)
{
    const struct policy *policy = lint->policy;

    for (uint32_t i = 0; i < policy->principal_count; i++)
        if (policy->principals[i].break_glass.requests > 0 &&
            rule_names_principal(rule, &policy->principals[i]))
            return true;
    return false;
}

void lint_freezes(struct lint *lint)
{
    for (size_t i = 0; i < policy_rule_count(lint->policy); i++) {
        const struct rule *rule = policy_rule_at(lint->policy, i);
        if (rule->effect == RULE_BREAK_GLASS && !can_break(lint, rule))
            lint_warn(lint, rule->pointer,
                      "only break-glass passes it, and no principal that it is about has \"break_glass\": it "
                      "refuses "
                      "as a deny does");
    }
}
