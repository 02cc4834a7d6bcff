#include "proxy/console/obliged.h"

#include "policies/rule.h"

const char *rule_named_by(const struct policy *policy, const char *decided)
{
    if (decided == NULL || decided[0] == '\0')
        return NULL;
    const struct rule *rule = policy_rule_named(policy, decided);
    return rule ? rule->id : decided;
}

const char *observed_by(const struct policy *policy, const struct observed *observed)
{
    if (observed->gate == NULL)
        return NULL;
    const struct rule *rule = observed->rule ? policy_rule_named(policy, observed->rule) : NULL;
    return rule ? rule->id : observed->refusal.code;
}

/* The names of the rules that are due, behind the word for what they ask. */
static size_t add_due(const struct decision *decision, const char *word, const struct rule_due *due,
                      const char **names, size_t count, size_t room)
{
    for (; due != NULL && count < room; due = due->next) {
        const char *name = arena_format(decision->arena, "%s:%s", word, due->rule->id);
        names[count++] = name ? name : word;
    }
    return count;
}

size_t obliged_names(const struct decision *decision, const char **names, size_t room)
{
    size_t count = 0;

    if ((decision->obligations & OBLIGE_JOURNAL) != 0 && count < room)
        names[count++] = "journal";
    if ((decision->obligations & OBLIGE_BREAK_GLASS) != 0 && count < room)
        names[count++] = "break-glass";
    count = add_due(decision, "approval", decision->approvals, names, count, room);
    return add_due(decision, "budget", decision->budgets, names, count, room);
}
