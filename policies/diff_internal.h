/* What the files diff*.c share. */
#ifndef POLICIES_DIFF_INTERNAL_H
#define POLICIES_DIFF_INTERNAL_H

#include "policies/diff.h"
#include "policies/matrix.h"
#include "policies/policy_internal.h"

struct diff {
    struct diff_side old, new;
    change_sink *sink;
    void *arg;
    struct arena arena; /* texts of the change being told; empty between two */
    struct pattern_scratch *scratch;
    size_t told;
    bool failed;
};

/* Tells a change and empties the arena. A text that could not be made (NULL though it is needed) is noted by
 * the caller in `failed`. */
void diff_tell(struct diff *diff, const struct change *change);

/* printf into the arena; "" and `failed` when memory is out. */
const char *diff_text(struct diff *diff, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Tells of a bound of which more is more freedom: nothing when both are the same. `none` is its word for 0,
 * which is no bound at all. */
void diff_limit(struct diff *diff, const char *what, const char *subject, struct rate_limit before,
                struct rate_limit after, bool none_is_free);

/* Tells that another key is presented, or none: `before` and `now` are indexes of the policies' credentials.
 */
void diff_credential(struct diff *diff, const char *what, const char *subject, int before, int now);

/* The operation of that id; NULL: none. */
const struct operation *diff_operation(const struct contract *contract, const char *id);

/* Compares one part each. */
void diff_identities(struct diff *diff);
void diff_principals(struct diff *diff);
void diff_organizations(struct diff *diff);
void diff_settings(struct diff *diff);
void diff_contract(struct diff *diff);
void diff_rules(struct diff *diff);
void diff_cells(struct diff *diff);
void diff_rest(struct diff *diff);

/* Does `now` refuse whatever `before` refuses, of the requests that both are about in one cell?
 * `partly_before`, `partly_now`: it is about the operation only where that renames. False where that cannot
 * be shown. */
bool rule_covers(const struct diff *diff, const struct rule *now, bool partly_now, const struct rule *before,
                 bool partly_before);

/* Which items of a list were moved, when places[i] is where the i-th of them stands now: the fewest that tell
 * the one order from the other. False when memory is out. */
bool diff_moved(const uint32_t *places, size_t count, bool *moved);

/* Does the first condition hold only where the second one does? False where that cannot be shown. */
bool condition_implies(const struct condition *one, const struct condition *other);

/* A text that the pattern matches, in the arena; NULL when none was found. */
const char *diff_sample(struct diff *diff, const struct pattern *pattern);

/* A request to which the rule applies (NULL: any) at the moment (0: any) by the principal for the operation
 * there, as a test case; NULL when memory is out. */
const char *diff_witness(struct diff *diff, const struct diff_side *side, const char *principal,
                         const char *organization, const struct operation *operation, const struct rule *rule,
                         int64_t now);

#endif
