/* Which rules of a policy are about which requests. Made when a policy is linked to its contract, so that a
 * request meets those rules alone that could be about it. */
#ifndef POLICIES_RULE_INDEX_H
#define POLICIES_RULE_INDEX_H

#include "policies/contract.h"
#include "policies/policy_internal.h"

/* A rule of one organisation; those of the same one are chained in the order of the file. */
struct rule_place {
    unsigned char organization[16];
    uint32_t rule, next;
};

struct rule_index {
    const struct contract *contract;
    uint64_t *ruled;   /* set of the operations that some rule is about */
    uint32_t *firsts;  /* by operation, and one more behind the last: where its rules begin in `numbers` */
    uint32_t *numbers; /* of rules for every organisation, in the order of the file */
    struct rule_place *places;
    struct table by_organization; /* the first place of each */
};

/* Makes the index of a policy whose rules have their sets of operations. NULL when memory is out. */
struct rule_index *rule_index_new(const struct policy *policy, const struct contract *contract);

/* Is some rule about the operation? */
static inline bool rule_index_has(const struct rule_index *index, const struct operation *operation)
{
    return (index->ruled[operation->index / 64] >> operation->index % 64 & 1) != 0;
}

/* A walk over the rules that could be about a request, in the order of the file. */
struct rule_walk {
    const struct policy *policy;
    const struct operation *operation;
    const uint32_t *next, *end; /* of those for every organisation */
    uint32_t place;             /* of those of the organisation; TABLE_NONE at the end */
};

/* `organization` is the text of a UUID, or nothing. */
struct rule_walk rule_walk_begin(const struct policy *policy, const struct operation *operation,
                                 struct span organization);

/* The next rule; NULL at the end. `rename` as for rule_is_about. */
const struct rule *rule_walk_next(struct rule_walk *walk, bool *rename);

#endif
