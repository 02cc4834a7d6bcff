/* What the files lint_*.c share. */
#ifndef POLICIES_LINT_INTERNAL_H
#define POLICIES_LINT_INTERNAL_H

#include "policies/lint.h"
#include "policies/policy_internal.h"
#include "policies/rule.h"

/* A policy under examination. */
struct lint {
    const struct policy *policy;
    const struct operation *operations;
    size_t operation_count;
    const struct document *document;
    int64_t now;
    struct problems *problems;
    const char *code; /* of the check that runs */
    enum severity severity;
    size_t found;   /* by it */
    size_t work;    /* steps left to it; a policy may hold a million grants */
    bool exhausted; /* they did not suffice */
};

/* Looks for one kind, or for several that lie together. */
typedef void lint_run(struct lint *lint);

lint_run lint_break_glass, lint_freezes;                  /* lint_principals.c */
lint_run lint_never_applies, lint_shadowed, lint_budgets; /* lint_rules.c */
lint_run lint_approvals, lint_breakers;                   /* lint_approvals.c */
lint_run lint_patterns;                                   /* lint_patterns.c */
lint_run lint_windows;                                    /* lint_time.c */

/* Notes one of the present kind. */
void lint_warn(struct lint *lint, const char *pointer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Takes a step; false when there are none left. */
bool lint_step(struct lint *lint);

/* Is the rule about the operation (as such, not only where it renames)? */
bool lint_rule_about(const struct rule *rule, const struct operation *operation);

/* What the grant gives at the moment, or may give later: nothing once its time is over. */
permission_set lint_gives(const struct lint *lint, const struct grant *grant);

#endif
