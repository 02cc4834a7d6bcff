/* How the gate of rules sees a request. */
#ifndef POLICIES_GATE_RULES_H
#define POLICIES_GATE_RULES_H

#include "policies/gate.h"

enum truth {
    TRUTH_NO,
    TRUTH_YES,
    TRUTH_UNKNOWN, /* for want of a fact, or because a pattern ran into its limits */
};

/* What conditions look at, and which facts they missed. */
struct outlook {
    const struct decide_input *input;
    const struct request *request;
    const struct decision *decision;
    unsigned needs; /* set of enum fact: looked for, and nobody has asked for them yet */
};

/* Does it hold? */
enum truth condition_holds(struct outlook *outlook, const struct condition *condition);

/* Would the body give the integration another name than it has? */
enum truth outlook_renames(struct outlook *outlook);

/* Is what the rule requires there already? */
bool outlook_meets(const struct outlook *outlook, const struct rule *rule);

/* What the body has below /data/attributes; NULL for nothing. Segments as those of a condition. */
const json_t *body_attribute(const struct decision *decision, const char *const *segments);

#endif
