/* The rules of a policy, compiled: what they are about, when they apply, and what they do then. Immutable.
 * Rules only take away: what no grant allows is never looked at here. The conditions are in condition.h. */
#ifndef POLICIES_RULE_H
#define POLICIES_RULE_H

#include "policies/condition.h"
#include "policies/digest.h"

struct operation;
struct principal;

/* What a rule does, in the order of precedence: where several apply, the first kind decides, and among rules
 * of one kind the first in the file. */
enum rule_effect {
    RULE_DENY,        /* refused, always */
    RULE_BREAK_GLASS, /* refused but for break-glass: a freeze */
    RULE_REASON,      /* refused unless the client says why, in a form */
    RULE_APPROVAL,    /* refused until enough people have approved */
    RULE_BUDGET,      /* refused beyond so many in so long */
    RULE_EFFECTS
};

/* "deny", "require break-glass", "require reason", "require approval", "budget". */
const char *rule_effect_name(enum rule_effect effect);

struct approval {
    unsigned people;  /* distinct ones, 1 to 10 */
    unsigned seconds; /* from the request for it to its use */
};

/* What each spends from its own. */
enum budget_each { BUDGET_PRINCIPAL, BUDGET_ORGANIZATION, BUDGET_GATE };

struct budget {
    unsigned requests, seconds; /* at most so many in any stretch of time that is so long */
    enum budget_each each;
    bool until_reset; /* once overrun it stays shut until a person resets it */
};

struct rule {
    const char *id, *reason;
    const char *pointer;               /* "/rules/3" */
    uint32_t index;                    /* 3 */
    unsigned char digest[DIGEST_SIZE]; /* of all that it says, whatever the order of its members */
    enum rule_effect effect;
    struct approval approval; /* with RULE_APPROVAL */
    struct budget budget;     /* with RULE_BUDGET */
    struct pattern *form;     /* with RULE_REASON: what Portcullis-Reason must match */

    /* What it is about. Without any of a kind: every principal, every organisation, every change. */
    const char *const *operations; /* operationIds, as the file has them */
    uint32_t operation_count;
    const unsigned char (*organizations)[16]; /* in the order of their bytes */
    uint32_t organization_count;
    const uint32_t *principals; /* indexes of principals, ascending */
    uint32_t principal_count;

    struct conditions when;   /* all must hold */
    struct conditions unless; /* none may hold */

    /* Sets of operations by their index in the contract, once the policy is linked to it. */
    const uint64_t *about;   /* it is about these */
    const uint64_t *renames; /* and about these where they would give the integration another name: a lock
                                by name */
};

/* Is the rule about the operation, as the linked policy has it? `rename` (may be NULL): it is about it only
 * where that changes the name. */
bool rule_is_about(const struct rule *rule, const struct operation *operation, bool *rename);

/* Is it about the principal / the organisation (the text of its UUID in lower case; nothing: none)? */
bool rule_names_principal(const struct rule *rule, const struct principal *principal);
bool rule_names_organization(const struct rule *rule, struct span organization);

#endif
