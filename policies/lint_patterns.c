/* Patterns of the policy that can blow up. */
#include "policies/lint_internal.h"
#include "policies/pattern_blowup.h"

#define MATCH_COST 100u /* steps of the examination that one match counts as */

static void warn(struct lint *lint, const char *pointer, const struct blowup *blowup)
{
    struct text value = {0}, part = {0};

    text_add_json(&part, span_of(blowup->part.data));
    if (blowup->before.length > 0) {
        text_add_json(&value, span_of(blowup->before.data));
        text_add_string(&value, ", then ");
    }
    text_add_json(&value, span_of(blowup->again.data));
    text_add_format(&value, " %u times", blowup->times);
    if (blowup->behind.length > 0) {
        text_add_string(&value, ", then ");
        text_add_json(&value, span_of(blowup->behind.data));
    }
    if (!value.failed && !part.failed)
        lint_warn(lint, pointer,
                  "can blow up: %s takes the same text in many ways, and the value %s uses up the steps of a "
                  "match, so that the stricter answer counts. Let each text be taken in one way only: a+ "
                  "instead of (a+)+, (?:x|y) whose branches begin differently, or a group that gives nothing "
                  "back: (?>…)",
                  part.data, value.data);
    text_free(&value);
    text_free(&part);
}

static void examine(struct lint *lint, const struct pattern *pattern, struct pattern_scratch *scratch,
                    const char *pointer)
{
    struct blowup blowup;
    size_t matches = lint->work / MATCH_COST;

    switch (pattern_blowup(pattern, scratch, &matches, &blowup)) {
    case BLOWUP_FOUND:
        warn(lint, pointer, &blowup);
        blowup_free(&blowup);
        break;
    case BLOWUP_UNSURE:
        lint->exhausted = true;
        break;
    case BLOWUP_NONE:
    default:
        break;
    }
    lint->work = matches * MATCH_COST;
}

static void examine_conditions(struct lint *lint, const struct rule *rule, const char *member,
                               const struct conditions *conditions, struct pattern_scratch *scratch)
{
    for (uint32_t i = 0; i < conditions->count; i++) {
        struct text pointer = {0};
        if (conditions->items[i].test != TEST_MATCHES)
            continue;
        text_add_format(&pointer, "%s/%s/%u/matches", rule->pointer, member, i);
        examine(lint, conditions->items[i].pattern, scratch, pointer.data ? pointer.data : rule->pointer);
        text_free(&pointer);
    }
}

static void examine_rule(struct lint *lint, const struct rule *rule, struct pattern_scratch *scratch)
{
    struct text pointer = {0};

    examine_conditions(lint, rule, "when", &rule->when, scratch);
    examine_conditions(lint, rule, "unless", &rule->unless, scratch);
    if (rule->effect != RULE_REASON)
        return;
    text_add_format(&pointer, "%s/require/reason", rule->pointer);
    examine(lint, rule->form, scratch, pointer.data ? pointer.data : rule->pointer);
    text_free(&pointer);
}

void lint_patterns(struct lint *lint)
{
    struct pattern_scratch *scratch = pattern_scratch_new();

    if (scratch == NULL) {
        lint->exhausted = true;
        return;
    }
    examine(lint, lint->policy->pattern, scratch, "/api_versions/pattern");
    for (size_t i = 0; i < policy_rule_count(lint->policy); i++)
        examine_rule(lint, policy_rule_at(lint->policy, i), scratch);
    pattern_scratch_free(scratch);
}
