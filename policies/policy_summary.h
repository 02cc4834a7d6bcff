/* What a new policy changes, in numbers and names: for the record that it came into force. */
#ifndef POLICIES_POLICY_SUMMARY_H
#define POLICIES_POLICY_SUMMARY_H

#include "policies/policy.h"

#define SUMMARY_NAMES 16 /* principals gained, and lost, that are named */

/* Appends the differences between two policies as canonical JSON:
 *
 *   {"audit":{"gained":0,"lost":0},"break_glass":{…},…,
 *    "principals":{"gained":1,"gained_names":["ci"],"lost":0,"lost_names":[]},…,"tokens":{…}}
 *
 * What is in the one and not in the other counts, and what is another one in both counts as gained and as
 * lost:
 *
 * - audit: rows of audit levels
 * - break_glass: budgets of principals for it
 * - certificates: by name, principal and what it must show besides
 * - credentials: where keys that the gate holds come from, for principals, organisations, reconciliation
 * - grants: by organisation, principal, time and what they allow and deny; a role is what it stands for
 * - oauth: the issuer whose tokens are taken, for whom, by which claim, and where its keys are
 * - observed: organisations whose refusals are only observed; "*" is all that are not listed
 * - organizations: by id
 * - people: principals with other people behind them
 * - principals: by name; names beyond SUMMARY_NAMES are left out
 * - rate_limits: of principals, their own or everybody's
 * - rules: by all that they say
 * - settings: what is said once: rules of versions, times of reconciliation, pre-images of updates
 * - subjects: of OAuth tokens, by name, principal and what it must show besides
 * - tokens: by digest, principal, time and what it must show besides
 *
 * `before` NULL: there was none. */
void policy_summary_write(const struct policy *before, const struct policy *now, struct text *out);

#endif
