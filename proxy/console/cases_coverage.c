/* Which rules and grants of a policy cases have put to the test. */
#include "policies/rule.h"
#include "proxy/console/cases.h"

#include <stdlib.h>

#define NEVER_SHOWN 20 /* for a person; JSON has all of them */

/* How much of one kind was decisive. */
struct count {
    size_t all, decisive;
};

bool coverage_begin(struct coverage *coverage, const struct policy *policy)
{
    coverage->rule_count = policy_rule_count(policy);
    coverage->grant_count = policy_grant_count(policy);
    coverage->rules = calloc(coverage->rule_count + 1, sizeof *coverage->rules);
    coverage->grants = calloc(coverage->grant_count + 1, sizeof *coverage->grants);
    return coverage->rules != NULL && coverage->grants != NULL;
}

void coverage_free(struct coverage *coverage)
{
    free(coverage->rules);
    free(coverage->grants);
    *coverage = (struct coverage){0};
}

/* What a JSON pointer names, if it names a rule or a grant. */
static void note_pointer(struct coverage *coverage, const struct policy *policy, const char *pointer)
{
    const struct rule *rule = pointer ? policy_rule_named(policy, pointer) : NULL;
    uint32_t grant = pointer ? policy_grant_named(policy, pointer) : UINT32_MAX;

    if (rule != NULL)
        coverage->rules[rule->index] = true;
    if (grant != UINT32_MAX)
        coverage->grants[grant] = true;
}

static void note_due(struct coverage *coverage, const struct rule_due *due)
{
    for (; due != NULL; due = due->next)
        coverage->rules[due->rule->index] = true;
}

void coverage_note(struct coverage *coverage, const struct policy *policy, const struct decision *decision)
{
    if (decision->verdict != VERDICT_PASS) {
        note_pointer(coverage, policy, decision->rule);
        return;
    }
    note_pointer(coverage, policy, decision->observed.gate ? decision->observed.rule : NULL);
    note_pointer(coverage, policy,
                 policy_grant_pointer(policy, decision->principal, decision->listed,
                                      decision->operation->permission, false, decision->now,
                                      decision->arena));
    note_due(coverage, decision->approvals);
    note_due(coverage, decision->budgets);
}

void coverage_note_cell(struct coverage *coverage, const struct policy *policy, const struct cell *cell)
{
    if (cell->verdict != CELL_CONDITIONAL)
        note_pointer(coverage, policy, cell->rule);
}

static struct count count_set(const bool *set, size_t all)
{
    struct count count = {.all = all};

    for (size_t i = 0; i < all; i++)
        count.decisive += set[i];
    return count;
}

unsigned coverage_percent(const struct coverage *coverage)
{
    struct count rules = count_set(coverage->rules, coverage->rule_count);
    struct count grants = count_set(coverage->grants, coverage->grant_count);
    size_t all = rules.all + grants.all;

    return all == 0 ? 100 : (unsigned)(100 * (rules.decisive + grants.decisive) / all);
}

/* What never decided, of one kind. */
struct never {
    const bool *set;
    size_t count;
    const char *(*name)(const struct policy *policy, uint32_t index, struct arena *arena);
};

static const char *rule_id(const struct policy *policy, uint32_t index, struct arena *arena)
{
    (void)arena;
    return policy_rule_at(policy, index)->id;
}

/* Calls show() for each, at most `most`; how many there are beyond. */
static size_t each_never(const struct never *never, const struct policy *policy, size_t most,
                         void (*show)(const char *name, size_t index, struct text *out), struct text *out)
{
    struct arena arena;
    size_t shown = 0, beyond = 0;

    arena_init(&arena);
    for (uint32_t i = 0; i < never->count; i++) {
        if (never->set[i])
            continue;
        if (shown == most) {
            beyond++;
            continue;
        }
        const char *name = never->name(policy, i, &arena);
        show(name ? name : "", shown++, out);
        arena_reset(&arena);
    }
    return beyond;
}

static void show_line(const char *name, size_t index, struct text *out)
{
    (void)index;
    text_add_format(out, "  never decisive: %s\n", name);
}

static void show_element(const char *name, size_t index, struct text *out)
{
    text_add_string(out, index > 0 ? "," : "");
    text_add_json(out, span_of(name));
}

void coverage_write(const struct coverage *coverage, const struct policy *policy, const char *path,
                    struct text *out)
{
    const struct never kinds[] = {{coverage->rules, coverage->rule_count, rule_id},
                                  {coverage->grants, coverage->grant_count, policy_grant_name}};
    struct count rules = count_set(coverage->rules, coverage->rule_count);
    struct count grants = count_set(coverage->grants, coverage->grant_count);

    text_add_format(out, "%s: %u%% covered: %zu of %zu rules and %zu of %zu grants were decisive\n", path,
                    coverage_percent(coverage), rules.decisive, rules.all, grants.decisive, grants.all);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t beyond = each_never(&kinds[i], policy, NEVER_SHOWN, show_line, out);
        if (beyond > 0)
            text_add_format(out, "  and %zu more (--json has all)\n", beyond);
    }
}

static void write_kind(const struct never *never, const struct policy *policy, struct text *out)
{
    struct count count = count_set(never->set, never->count);

    text_add_format(out, "{\"all\":%zu,\"decisive\":%zu,\"never\":[", count.all, count.decisive);
    (void)each_never(never, policy, SIZE_MAX, show_element, out);
    text_add_string(out, "]}");
}

void coverage_write_json(const struct coverage *coverage, const struct policy *policy, const char *path,
                         struct text *out)
{
    text_add_string(out, "{\"policy\":");
    text_add_json(out, span_of(path));
    text_add_format(out, ",\"percent\":%u,\"rules\":", coverage_percent(coverage));
    write_kind(&(struct never){coverage->rules, coverage->rule_count, rule_id}, policy, out);
    text_add_string(out, ",\"grants\":");
    write_kind(&(struct never){coverage->grants, coverage->grant_count, policy_grant_name}, policy, out);
    text_add_string(out, "}");
}
