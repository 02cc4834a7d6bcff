/* What a new policy changes, in numbers and names: for the record that it came into force. */
#ifndef POLICIES_POLICY_SUMMARY_H
#define POLICIES_POLICY_SUMMARY_H

#include "policies/policy.h"

#define SUMMARY_NAMES 16 /* principals gained, and lost, that are named */

/* Appends the differences between two policies as canonical JSON:
 *
 *   {"audit":{"gained":0,"lost":0},"grants":{…},"organizations":{…},
 *    "principals":{"gained":1,"gained_names":["ci"],"lost":0,"lost_names":[]},"tokens":{…}}
 *
 * What is in the one and not in the other counts: principals by name, tokens by digest, name and time,
 * organisations by id, grants by organisation, principal, time and what they allow and deny (a role is
 * what it stands for), rows of audit levels. Names beyond SUMMARY_NAMES are left out. `before` NULL: there
 * was none.
 */
void policy_summary_write(const struct policy *before, const struct policy *now, struct text *out);

#endif
