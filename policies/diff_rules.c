/* Rules of two policies held against each other: which of them refuse at least what another one refuses, and
 * what became of each. What that comes to in a cell is told there. */
#include "policies/diff_internal.h"
#include "policies/uuid.h"

#include <stdlib.h>

/* ---- does one refuse whatever the other refuses? ---- */

/* Some condition of `has` holds only where `needed` holds. */
static bool is_implied(const struct conditions *has, const struct condition *needed)
{
    for (uint32_t i = 0; i < has->count; i++)
        if (condition_implies(&has->items[i], needed))
            return true;
    return false;
}

/* `now` applies wherever `before` does: it asks for no more, and every exception of it was one. */
static bool applies_wherever(const struct rule *now, const struct rule *before)
{
    for (uint32_t i = 0; i < now->when.count; i++)
        if (!is_implied(&before->when, &now->when.items[i]))
            return false;
    for (uint32_t i = 0; i < now->unless.count; i++) {
        uint32_t at = 0;

        while (at < before->unless.count &&
               !condition_implies(&now->unless.items[i], &before->unless.items[at]))
            at++;
        if (at == before->unless.count)
            return false;
    }
    return true;
}

static bool has_operation(const struct rule *rule, const char *id)
{
    for (uint32_t i = 0; i < rule->operation_count; i++)
        if (strcmp(rule->operations[i], id) == 0)
            return true;
    return false;
}

/* A budget that more spend from is a stricter one: is what `before` is about within what `now` is about? */
static bool scope_within(const struct diff *diff, const struct rule *now, const struct rule *before)
{
    char text[UUID_TEXT_SIZE];

    if ((before->operation_count == 0 && now->operation_count > 0) ||
        (before->organization_count == 0 && now->organization_count > 0) ||
        (before->principal_count == 0 && now->principal_count > 0))
        return false;
    for (uint32_t i = 0; now->operation_count > 0 && i < before->operation_count; i++)
        if (!has_operation(now, before->operations[i]))
            return false;
    for (uint32_t i = 0; i < before->organization_count; i++) {
        uuid_spell(before->organizations[i], text);
        if (!rule_names_organization(now, span_of(text)))
            return false;
    }
    for (uint32_t i = 0; i < before->principal_count; i++) {
        const struct principal *same = policy_principal_named(
            diff->new.policy, span_of(policy_principal_at(diff->old.policy, before->principals[i])->name));
        if (same != NULL && !rule_names_principal(now, same))
            return false;
    }
    return now->operation_count == 0 || before->operation_count > 0;
}

/* What was spent counts by the rule's id: under another one it begins anew. */
static bool budget_covers(const struct diff *diff, const struct rule *now, const struct rule *before)
{
    return strcmp(now->id, before->id) == 0 && now->budget.requests <= before->budget.requests &&
           now->budget.seconds >= before->budget.seconds &&
           (now->budget.each == before->budget.each || now->budget.each == BUDGET_GATE) &&
           (now->budget.until_reset || !before->budget.until_reset) && scope_within(diff, now, before);
}

/* Is what it does, where both apply, at least as strict? Who breaks the glass passes every `require`. */
static bool effect_covers(const struct diff *diff, const struct rule *now, const struct rule *before)
{
    if (now->effect == RULE_DENY || before->effect == RULE_DENY)
        return now->effect == RULE_DENY;
    if (now->effect == RULE_BREAK_GLASS && before->effect != RULE_BUDGET)
        return true;
    if (now->effect != before->effect)
        return false;
    switch (now->effect) {
    case RULE_REASON:
        return strcmp(pattern_source(now->form), pattern_source(before->form)) == 0;
    case RULE_APPROVAL:
        return now->approval.people >= before->approval.people &&
               now->approval.seconds <= before->approval.seconds;
    case RULE_BUDGET:
        return budget_covers(diff, now, before);
    case RULE_DENY:
    case RULE_BREAK_GLASS:
    case RULE_EFFECTS:
    default:
        return false;
    }
}

bool rule_covers(const struct diff *diff, const struct rule *now, bool partly_now, const struct rule *before,
                 bool partly_before)
{
    return (partly_before || !partly_now) && effect_covers(diff, now, before) &&
           applies_wherever(now, before);
}

/* ---- what became of each ---- */

/* The rules of both policies by their ids, and those of the old one that stand in another place. */
struct rule_names {
    struct table old, new;
    bool *moved; /* by the index in the old one */
};

static bool id_matches(const void *rules, uint32_t item, const void *key)
{
    return strcmp(((const struct rule *)rules)[item].id, key) == 0;
}

static const struct rule *rule_of_id(const struct table *table, const struct policy *policy, const char *id)
{
    uint32_t found = table_find(table, hash_bytes(span_of(id)), id_matches, policy->rules, id);

    return found == TABLE_NONE ? NULL : &policy->rules[found];
}

static bool name_rules(struct table *table, const struct policy *policy)
{
    if (!table_make(table, policy->rule_count))
        return false;
    for (uint32_t i = 0; i < policy->rule_count; i++)
        table_add(table, hash_bytes(span_of(policy->rules[i].id)), i);
    return true;
}

static bool find_moved(struct rule_names *names, const struct policy *old, const struct policy *new)
{
    uint32_t *places = calloc(old->rule_count + 1, sizeof *places),
             *rules = calloc(old->rule_count + 1, sizeof *rules);
    bool *moved = calloc(old->rule_count + 1, sizeof *moved);
    size_t count = 0;
    bool made = places != NULL && rules != NULL && moved != NULL;

    for (uint32_t i = 0; made && i < old->rule_count; i++) {
        const struct rule *now = rule_of_id(&names->new, new, old->rules[i].id);
        if (now == NULL)
            continue;
        rules[count] = i;
        places[count++] = now->index;
    }
    made = made && diff_moved(places, count, moved);
    for (size_t i = 0; made && i < count; i++)
        names->moved[rules[i]] = moved[i];
    free(places);
    free(rules);
    free(moved);
    return made;
}

static bool names_make(struct rule_names *names, const struct policy *old, const struct policy *new)
{
    names->moved = calloc(old->rule_count + 1, sizeof *names->moved);
    return names->moved != NULL && name_rules(&names->old, old) && name_rules(&names->new, new) &&
           find_moved(names, old, new);
}

static void names_free(struct rule_names *names)
{
    table_free(&names->old);
    table_free(&names->new);
    free(names->moved);
}

/* The rule as its file has it, without what is for people; NULL when memory is out. */
static const char *rule_text(struct diff *diff, const struct diff_side *side, const struct rule *rule)
{
    json_t *copy = json_copy(pointer_get(side->policy_document->root, rule->pointer));
    const char *text = NULL;
    char *dump = NULL;

    if (copy != NULL) {
        (void)json_object_del(copy, "description");
        (void)json_object_del(copy, "id");
        dump = json_dumps(copy, JSON_COMPACT | JSON_SORT_KEYS);
    }
    if (dump != NULL)
        text = arena_copy(&diff->arena, span_of(dump)).data;
    free(dump);
    json_decref(copy);
    diff->failed = diff->failed || text == NULL;
    return text != NULL ? text : "";
}

/* In the cells that both are about, so that nothing is said twice. */
static void compare(struct diff *diff, const struct rule *before, const struct rule *now, bool moved)
{
    const char *before_text = rule_text(diff, &diff->old, before),
               *now_text = rule_text(diff, &diff->new, now);

    if (strcmp(before_text, now_text) != 0)
        diff_tell(diff, &(struct change){.sense = CHANGE_OTHER,
                                         .what = "rule",
                                         .subject = now->id,
                                         .before = before_text,
                                         .after = now_text,
                                         .detail = "the cells say what that comes to"});
    else if (moved)
        diff_tell(diff, &(struct change){.sense = CHANGE_OTHER,
                                         .what = "rule",
                                         .subject = now->id,
                                         .before = before->pointer,
                                         .after = now->pointer,
                                         .detail = "another place: of two that refuse, the first is named"});
    else
        arena_reset(&diff->arena);
}

static void tell_removed(struct diff *diff, const struct rule *before)
{
    diff_tell(diff, &(struct change){.sense = CHANGE_OTHER,
                                     .what = "rule",
                                     .subject = before->id,
                                     .before = rule_text(diff, &diff->old, before),
                                     .detail = "removed; the cells say what that comes to"});
}

static void tell_added(struct diff *diff, const struct rule *now)
{
    diff_tell(diff, &(struct change){.sense = CHANGE_OTHER,
                                     .what = "rule",
                                     .subject = now->id,
                                     .after = rule_text(diff, &diff->new, now),
                                     .detail = "added; the cells say what that comes to"});
}

void diff_rules(struct diff *diff)
{
    const struct policy *old = diff->old.policy, *new = diff->new.policy;
    struct rule_names names = {0};

    diff->failed = diff->failed || !names_make(&names, old, new);
    for (uint32_t i = 0; i < old->rule_count && !diff->failed; i++) {
        const struct rule *before = &old->rules[i], *now = rule_of_id(&names.new, new, before->id);
        if (now != NULL)
            compare(diff, before, now, names.moved[i]);
        else
            tell_removed(diff, before);
    }
    for (uint32_t i = 0; i < new->rule_count && !diff->failed; i++)
        if (rule_of_id(&names.old, old, new->rules[i].id) == NULL)
            tell_added(diff, &new->rules[i]);
    names_free(&names);
}
