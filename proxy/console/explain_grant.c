/* For a refusal: the smallest grant that would have let the request pass that gate, or why none would. */
#include "proxy/console/explain.h"

#include "policies/rule.h"

#include "proxy/console/obliged.h"

static const char *meta(const struct refusal *refusal, const char *name)
{
    for (const struct refusal_member *at = refusal->meta; at != NULL; at = at->next)
        if (strcmp(at->name, name) == 0)
            return at->value;
    return NULL;
}

bool explain_grant(const struct decision *decision, struct text *grant)
{
    const char *permission = meta(&decision->refusal, "permission");
    bool lacking = decision->verdict == VERDICT_REFUSE && decision->rule != NULL &&
                   (strcmp(decision->rule, "no-grant") == 0 || strcmp(decision->rule, "not-granted") == 0);

    if (!lacking || permission == NULL || decision->principal == NULL || decision->organization.data == NULL)
        return false;
    text_add_string(grant, "{\"principal\": ");
    text_add_json(grant, span_of(decision->principal->name));
    text_add_string(grant, ", \"permissions\": [");
    text_add_json(grant, span_of(permission));
    text_add_string(grant, "]}");
    return true;
}

const char *explain_hindrance(const struct policy *policy, const struct decision *decision)
{
    const char *rule = decision->rule;

    if (decision->verdict != VERDICT_REFUSE || rule == NULL)
        return NULL;
    return policy_rule_named(policy, rule) != NULL || policy_grant_named(policy, rule) != UINT32_MAX ? rule
                                                                                                     : NULL;
}
