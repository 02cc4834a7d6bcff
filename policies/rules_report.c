#include "policies/rules_report.h"

#include "policies/gate_rules.h"

const char *rule_outcome_name(enum rule_outcome outcome)
{
    static const char *const names[RULE_OUTCOMES] = {"applies", "met", "kept out"};

    return names[outcome];
}

static struct rule_report kept_out(const struct decision *decision, const struct rule *rule, const char *part,
                                   const char *at)
{
    const char *by = arena_format(decision->arena, "%s/%s", rule->pointer, part);

    return (struct rule_report){
        .rule = rule, .outcome = RULE_KEPT_OUT, .by = by ? by : rule->pointer, .at = at};
}

static struct rule_report kept_out_by(const struct decision *decision, const struct rule *rule,
                                      const char *member, const struct conditions *conditions, uint32_t index)
{
    const char *part = arena_format(decision->arena, "%s/%u", member, index);

    return kept_out(decision, rule, part ? part : member, conditions->items[index].at);
}

struct rule_report rule_report(const struct decide_input *input, const struct request *request,
                               const struct decision *decision, size_t index)
{
    const struct rule *rule = policy_rule_at(input->policy, index);
    struct outlook outlook = {.input = input, .request = request, .decision = decision};
    bool rename = false;

    if (!rule_is_about(rule, decision->operation, &rename))
        return kept_out(decision, rule, "operations", NULL);
    if (!rule_names_organization(rule, decision->organization))
        return kept_out(decision, rule, "organizations", NULL);
    if (!rule_names_principal(rule, decision->principal))
        return kept_out(decision, rule, "principals", NULL);
    if (rename && outlook_renames(&outlook) == TRUTH_NO)
        return kept_out(decision, rule, "operations", "/body/data/attributes/profile_name");
    for (uint32_t i = 0; i < rule->when.count; i++)
        if (condition_holds(&outlook, &rule->when.items[i]) == TRUTH_NO)
            return kept_out_by(decision, rule, "when", &rule->when, i);
    for (uint32_t i = 0; i < rule->unless.count; i++)
        if (condition_holds(&outlook, &rule->unless.items[i]) == TRUTH_YES)
            return kept_out_by(decision, rule, "unless", &rule->unless, i);
    return (struct rule_report){.rule = rule,
                                .outcome = outlook_meets(&outlook, rule) ? RULE_MET : RULE_APPLIED};
}
