/* What requests are judged by: contract, policy and the credentials that the gate holds, loaded together and
 * then immutable. Counted references: an exchange keeps the one it began with while a reload swaps in the
 * next. */
#ifndef PROXY_SERVICE_RULESET_H
#define PROXY_SERVICE_RULESET_H

#include "policies/contract.h"
#include "policies/policy.h"
#include "proxy/config/config.h"

struct rates;
struct ruleset;

/* Loads everything that the configuration names. With `need_credentials` false, credential files and
 * variables are only warned of. NULL when there are errors; all of them, and warnings, are in `problems`. A
 * path that the configuration lacks (config_examine) is passed over, and the result NULL. The caller holds
 * one reference. */
struct ruleset *ruleset_load(const struct config *config, bool need_credentials, struct problems *problems);

/* One reference more / less (the last one frees). Any thread. */
struct ruleset *ruleset_hold(struct ruleset *ruleset);
void ruleset_release(struct ruleset *ruleset);

const struct contract *ruleset_contract(const struct ruleset *ruleset);
const struct policy *ruleset_policy(const struct ruleset *ruleset);

/* How much the journal is told of an operation of this ruleset's contract. */
enum audit_level ruleset_audit_level(const struct ruleset *ruleset, const struct operation *operation);

/* How full the buckets of its principals are; NULL when none has a limit. Any thread. */
struct rates *ruleset_rates(const struct ruleset *ruleset);

/* Takes over what principals have used of their rate limits under the ruleset in force until now. Before the
 * next one is given to anybody. */
void ruleset_inherit(struct ruleset *next, const struct ruleset *before);

/* Organisations that the policy names ("*" is none), for check. */
size_t ruleset_organization_count(const struct ruleset *ruleset);

/* The Authorization value that presents credential `index` ("Token <secret>"). It lies in locked memory that
 * no core dump holds; borrowed. */
struct span ruleset_credential(const struct ruleset *ruleset, int index);

#endif
