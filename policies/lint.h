/* What is legal in a policy but most likely not meant. Pure; nothing here changes a verdict. */
#ifndef POLICIES_LINT_H
#define POLICIES_LINT_H

#include "policies/contract.h"
#include "policies/policy.h"

/* A kind of them. One table of them (lint.c) drives the looking, `check --help` and the manual. */
struct lint_check {
    const char *code;    /* stable: "rule-never-applies" */
    const char *meaning; /* one line */
};

/* All of them; the last one has no code. */
const struct lint_check *lint_checks(void);

/* Notes what a policy that compiled and is linked to the contract has of them, with their codes, but for what
 * compiling it has noted already: warnings, and errors where people could not get out of it. `document` is
 * what it was compiled from; `now` is seconds since the epoch. Of one kind LINT_SHOWN are shown at most, with
 * the number of the others. */
#define LINT_SHOWN 20
void policy_lint(const struct policy *policy, const struct contract *contract,
                 const struct document *document, int64_t now, struct problems *problems);

#endif
