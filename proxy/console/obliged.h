/* What a decision says, in the words of the policy: rules by their id, obligations by name. Shared by
 * `explain` and `test`. */
#ifndef PROXY_CONSOLE_OBLIGED_H
#define PROXY_CONSOLE_OBLIGED_H

#include "policies/decide.h"

/* decision.rule for a person: the id of a rule; else the JSON pointer of a grant, or a stable word, as it is;
 * NULL for nothing. */
const char *rule_named_by(const struct policy *policy, const char *decided);

/* What would have been refused, were it enforced: by the id of the rule, else the refusal's code; NULL:
 * nothing. */
const char *observed_by(const struct policy *policy, const struct observed *observed);

/* The names of what a pass obliges the gate to: "journal", "break-glass", "approval:<rule>", "budget:<rule>".
 * At most `room` of them; how many were written. Texts are static or in the decision's arena. */
size_t obliged_names(const struct decision *decision, const char **names, size_t room);

#endif
