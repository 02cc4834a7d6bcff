/* Windows of time that do not come again. Of grants and tokens policy_terms_check() says so. */
#include "policies/lint_internal.h"

static bool is_over(const struct lint *lint, const struct condition *condition)
{
    for (uint32_t i = 0; i < condition->count; i++)
        if (condition->windows[i].before > lint->now)
            return false;
    return true;
}

static void examine(struct lint *lint, const struct rule *rule, const char *member,
                    const struct conditions *conditions, const char *meaning)
{
    for (uint32_t i = 0; i < conditions->count; i++) {
        struct text pointer = {0};
        if (conditions->items[i].test != TEST_DURING || !is_over(lint, &conditions->items[i]))
            continue;
        text_add_format(&pointer, "%s/%s/%u/during", rule->pointer, member, i);
        lint_warn(lint, pointer.data ? pointer.data : rule->pointer, "its time is over: %s", meaning);
        text_free(&pointer);
    }
}

void lint_windows(struct lint *lint)
{
    for (size_t i = 0; i < policy_rule_count(lint->policy); i++) {
        const struct rule *rule = policy_rule_at(lint->policy, i);
        examine(lint, rule, "when", &rule->when, "the rule never applies again");
        examine(lint, rule, "unless", &rule->unless, "it excepts nothing any more");
    }
}
