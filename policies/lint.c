#include "policies/lint_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define WORK ((size_t)20 * 1000 * 1000) /* steps of one check: well below a second */

static const struct lint_check checks[] = {
    {"edit-everywhere", "a grant under \"*\" lets somebody change integrations in every organisation"},
    {"unused-principal", "no grant allows the principal anything"},
    {"unreachable-principal",
     "the principal has nothing to show that it is it: grants to it are grants to nobody"},
    {"unused-role", "no grant gives the role"},
    {"not-enforced", "\"enforcement\": \"observe\": what the policy refuses is forwarded"},
    {"break-glass-without-grant", "the principal may break the glass, and no grant lets it change anything"},
    {"freeze-without-break-glass", "a rule lets only break-glass pass, and nobody who may ask has it"},
    {"rule-never-applies", "no grant allows anybody what the rule is about"},
    {"rule-shadowed", "another rule denies all that this one is about, always"},
    {"approval-impossible", "there are fewer people who may approve than the rule demands"},
    {"breaker-impossible", "nobody may open the breaker again"},
    {"budget-shared", "one principal alone can spend a budget that it shares with others"},
    {"pattern-blows-up", "a short value can use up the steps of a match"},
    {"time-is-over", "no window of the condition comes again"},
    {0},
};

/* Who looks for which; the other kinds are noted while the policy is compiled. What people could not get out
 * of is an error. */
static const struct {
    const char *code;
    lint_run *run;
    enum severity severity;
} runs[] = {
    {"break-glass-without-grant", lint_break_glass, SEVERITY_WARNING},
    {"freeze-without-break-glass", lint_freezes, SEVERITY_WARNING},
    {"rule-never-applies", lint_never_applies, SEVERITY_WARNING},
    {"rule-shadowed", lint_shadowed, SEVERITY_WARNING},
    {"approval-impossible", lint_approvals, SEVERITY_ERROR},
    {"breaker-impossible", lint_breakers, SEVERITY_ERROR},
    {"budget-shared", lint_budgets, SEVERITY_ERROR},
    {"pattern-blows-up", lint_patterns, SEVERITY_WARNING},
    {"time-is-over", lint_windows, SEVERITY_WARNING},
};

const struct lint_check *lint_checks(void)
{
    return checks;
}

void lint_warn(struct lint *lint, const char *pointer, const char *format, ...)
{
    char *message = NULL;
    va_list arguments;

    if (lint->found++ >= LINT_SHOWN)
        return;
    va_start(arguments, format);
    if (vasprintf(&message, format, arguments) < 0)
        message = NULL;
    va_end(arguments);
    problems_add_kind(lint->problems, lint->severity, lint->document, pointer, lint->code, "%s",
                      message ? message : "memory is out");
    free(message);
}

bool lint_step(struct lint *lint)
{
    if (lint->work > 0) {
        lint->work--;
        return true;
    }
    lint->exhausted = true;
    return false;
}

bool lint_rule_about(const struct rule *rule, const struct operation *operation)
{
    bool rename;

    return rule_is_about(rule, operation, &rename) && !rename;
}

permission_set lint_gives(const struct lint *lint, const struct grant *grant)
{
    return lint->policy->terms[grant->term].not_after < lint->now ? 0 : grant->allowed;
}

void policy_lint(const struct policy *policy, const struct contract *contract,
                 const struct document *document, int64_t now, struct problems *problems)
{
    struct lint lint = {.policy = policy, .document = document, .now = now, .problems = problems};

    lint.operations = contract_operations(contract, &lint.operation_count);
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        lint.code = runs[i].code;
        lint.severity = runs[i].severity;
        lint.found = 0;
        lint.work = WORK;
        lint.exhausted = false;
        runs[i].run(&lint);
        if (lint.found > LINT_SHOWN)
            problems_add_kind(problems, lint.severity, document, "", lint.code,
                              "%zu more of these are not shown", lint.found - LINT_SHOWN);
        if (lint.exhausted)
            problems_add_kind(problems, SEVERITY_WARNING, document, "", lint.code,
                              "the policy is too large to be looked through for all of these");
    }
}
