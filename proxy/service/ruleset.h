/* What requests are judged by: contract, policy and the credentials that the gate holds, loaded together and
 * then immutable. Counted references: an exchange keeps the one it began with while a reload swaps in the
 * next. */
#ifndef PROXY_SERVICE_RULESET_H
#define PROXY_SERVICE_RULESET_H

#include "policies/contract.h"
#include "policies/policy.h"
#include "proxy/config/config.h"
#include "proxy/service/file_watch.h"
#include "proxy/service/manifest.h"

struct rates;
struct ruleset;

#define RULESET_FILE_LIMIT                                                                                   \
    (64ul * 1024 * 1024) /* bytes of a policy or contract: there may be many organisations */

/* Loads everything that the configuration names. With `need_credentials` false (nobody is to be served by
 * it), credential files and variables, and the manifest, are only warned of. NULL when there are errors; all
 * of them, and warnings, are in `problems`. Those of the shadow alone are noted, too, and the result has no
 * shadow then. A path that the configuration lacks (config_examine) is passed over, and the result NULL. The
 * caller holds one reference. */
struct ruleset *ruleset_load(const struct config *config, bool need_credentials, struct problems *problems);

/* The same; where the result is NULL, *files (empty before) are those that were read until it was. */
struct ruleset *ruleset_load_noting(const struct config *config, bool need_credentials,
                                    struct watched_files *files, struct problems *problems);

/* One reference more / less (the last one frees). Any thread. */
struct ruleset *ruleset_hold(struct ruleset *ruleset);
void ruleset_release(struct ruleset *ruleset);

/* Does nobody but the caller hold it? Then nobody will: only a holder can give it on. */
bool ruleset_is_last(const struct ruleset *ruleset);

/* Gives the files that it was read from, with their marks from before that, to the caller, who frees them.
 * Before others hold it. */
void ruleset_take_files(struct ruleset *ruleset, struct watched_files *files);

/* The manifest that vouches for it; serial 0 where none is demanded. */
const struct manifest *ruleset_manifest(const struct ruleset *ruleset);

/* SHA-256 of the contract's bytes: "sha256:<64 hex digits>". */
const char *ruleset_contract_digest(const struct ruleset *ruleset);

/* The same of the file of keys that OAuth tokens are verified with; "" where there is none. */
const char *ruleset_keys_digest(const struct ruleset *ruleset);

/* The candidate that is judged beside the policy; NULL for none. */
const struct policy *ruleset_shadow(const struct ruleset *ruleset);

const struct contract *ruleset_contract(const struct ruleset *ruleset);
const struct policy *ruleset_policy(const struct ruleset *ruleset);

/* The keys by which OAuth tokens are verified; NULL where the policy takes none, or they are not at hand. */
const struct jwks *ruleset_keys(const struct ruleset *ruleset);

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
