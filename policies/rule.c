/* Questions to the rules of a policy. */
#include "policies/rule.h"

#include "policies/contract.h"
#include "policies/policy_internal.h"
#include "policies/uuid.h"

#include <stdlib.h>

const char *rule_effect_name(enum rule_effect effect)
{
    static const char *const names[RULE_EFFECTS] = {
        [RULE_DENY] = "deny",
        [RULE_BREAK_GLASS] = "require break-glass",
        [RULE_REASON] = "require reason",
        [RULE_APPROVAL] = "require approval",
        [RULE_BUDGET] = "budget",
    };

    return names[effect];
}

static bool has(const uint64_t *set, uint32_t index)
{
    return set != NULL && (set[index / 64] >> index % 64 & 1) != 0;
}

bool rule_is_about(const struct rule *rule, const struct operation *operation, bool *rename)
{
    bool about = has(rule->about, operation->index);

    if (rename != NULL)
        *rename = !about && has(rule->renames, operation->index);
    return about || has(rule->renames, operation->index);
}

bool rule_names_principal(const struct rule *rule, const struct principal *principal)
{
    uint32_t low = 0, high = rule->principal_count;

    if (high == 0)
        return true;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (rule->principals[middle] == principal->index)
            return true;
        if (rule->principals[middle] < principal->index)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, UUID_BYTES);
}

bool rule_names_organization(const struct rule *rule, struct span organization)
{
    unsigned char id[UUID_BYTES];

    if (rule->organization_count == 0)
        return true;
    return uuid_parse(organization, id) && bsearch(id, rule->organizations, rule->organization_count,
                                                   sizeof *rule->organizations, compare_ids) != NULL;
}

size_t policy_rule_count(const struct policy *policy)
{
    return policy->rule_count;
}

const struct rule *policy_rule_at(const struct policy *policy, size_t index)
{
    return &policy->rules[index];
}
