/* What became of each rule, for explain. */
#ifndef POLICIES_RULES_REPORT_H
#define POLICIES_RULES_REPORT_H

#include "policies/decide.h"
#include "policies/rule.h"

enum rule_outcome {
    RULE_APPLIED,  /* what cannot be known counts as what makes it apply */
    RULE_MET,      /* it applied, and what it requires is there */
    RULE_KEPT_OUT, /* by its scope, or by a condition */
    RULE_OUTCOMES
};

/* "applies", "met", "kept out". Static storage. */
const char *rule_outcome_name(enum rule_outcome outcome);

struct rule_report {
    const struct rule *rule;
    enum rule_outcome outcome;
    const char *by; /* what kept it out, as a JSON pointer into the policy, such as "/rules/3/when/0" or
                       "/rules/3/principals"; NULL otherwise. In the decision's arena */
    const char *at; /* the pointer that the condition there looks at; NULL where it is none */
};

/* The report of rule number `index` (policy_rule_at) for a decision just made that came as far as the gate of
 * rules. */
struct rule_report rule_report(const struct decide_input *input, const struct request *request,
                               const struct decision *decision, size_t index);

#endif
