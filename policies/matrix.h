/* What a policy lets each principal do in each organisation, as a cell for each operation of the contract:
 * what the gates of permission and rules would say to a request that all other gates let pass. */
#ifndef POLICIES_MATRIX_H
#define POLICIES_MATRIX_H

#include "policies/contract.h"
#include "policies/policy.h"

enum cell_verdict {
    CELL_DENIED,
    CELL_CONDITIONAL, /* it depends on more than principal, organisation and operation */
    CELL_ALLOWED,
    CELL_VERDICTS,
};

/* One thing that a conditional cell depends on. */
struct cell_condition {
    const char
        *what; /* "token" (a certificate alone will not do), or the effect of a rule: rule_effect_name() */
    const char *rule;      /* JSON pointer into the policy, or "" */
    const struct rule *of; /* NULL: of no rule */
    const struct cell_condition *next;
};

struct cell {
    enum cell_verdict verdict;  /* as the gate does it */
    enum cell_verdict enforced; /* as it would were the policy enforced here; the same where it is */
    const char *rule;           /* what decided: a JSON pointer into the policy, or "no-grant", "not-granted",
                                   "no-organization", "no-credential" */
    const struct cell_condition *conditions; /* in the order of the file; none where it is denied */
};

/* A principal in an organisation. */
struct cell_place {
    const struct policy *policy;
    const struct principal *principal;
    uint32_t organization;   /* as policy_organization() has it */
    const unsigned char *id; /* its UUID's bytes; NULL: any one that the policy does not name */
    int64_t now;             /* grants that are not in their time then count for nothing */
    struct access access;    /* of the principal there */
};

/* Makes the place of the principal in the organisation of that UUID (NULL: any that the policy does not
 * name) at that moment (seconds since the epoch).
 */
struct cell_place cell_place(const struct policy *policy, const struct principal *principal,
                             const unsigned char *id, int64_t now);

/* The cell of the operation. Texts live in the arena. False when memory is out. */
bool cell_of(const struct cell_place *place, const struct operation *operation, struct arena *arena,
             struct cell *cell);

/* "denied", "conditional", "allowed". Static storage. */
const char *cell_verdict_name(enum cell_verdict verdict);

#endif
