/* What a decision says, in the words of the policy: rules by their id, obligations by name. Shared by
 * `explain` and `test`. */
#ifndef PROXY_CONSOLE_OBLIGED_H
#define PROXY_CONSOLE_OBLIGED_H

#include "policies/decide.h"

/* What decided: the id of a rule; else, as the logs say it, the JSON pointer of a grant or a stable word;
 * NULL for nothing. Lives as long as policy and decision. */
const char *decided_by(const struct decide_input *input, const struct decision *decision);

/* The names of what a pass obliges the gate to: "journal", "approval:<rule>", "budget:<rule>", "break-glass".
 * At most `room` of them; how many were written. Texts are static or in the decision's arena. */
size_t obliged_names(const struct decide_input *input, const struct decision *decision, const char **names,
                     size_t room);

#endif
