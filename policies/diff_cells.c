/* Cells of two policies held against each other: each principal of either, in each organisation that either
 * names and in any other, for each operation of either contract; and the gate's own permissions. */
#include "policies/diff_internal.h"
#include "policies/moment.h"
#include "policies/organizations.h"

#include <stdlib.h>

/* A cell under comparison. */
struct pair {
    const char *principal, *organization; /* organization: UUID, or "*" */
    const char *operation_id;
    int64_t now; /* the moment that is compared; 0: nothing here goes by time */
    struct side {
        const struct diff_side *side;
        struct cell_place place;           /* principal NULL: the policy does not have it */
        const struct operation *operation; /* NULL: the contract does not have it */
        struct cell cell;
    } old, new;
};

static bool make_cell(struct diff *diff, struct side *side)
{
    if (side->place.principal == NULL || side->operation == NULL) {
        side->cell = (struct cell){.verdict = CELL_DENIED,
                                   .enforced = CELL_DENIED,
                                   .rule = side->operation == NULL ? "no-operation" : "no-principal"};
        return true;
    }
    return cell_of(&side->place, side->operation, &diff->arena, &side->cell);
}

static const char *cell_text(struct diff *diff, const struct cell *cell)
{
    const char *text =
        cell->enforced == cell->verdict
            ? diff_text(diff, "%s by %s", cell_verdict_name(cell->verdict), cell->rule)
            : diff_text(diff, "%s, as it is only observed; else %s by %s", cell_verdict_name(cell->verdict),
                        cell_verdict_name(cell->enforced), cell->rule);

    for (const struct cell_condition *at = cell->conditions; at != NULL; at = at->next)
        text = diff_text(diff, "%s%s%s%s%s", text, at == cell->conditions ? ", if: " : ", ", at->what,
                         at->rule[0] != '\0' ? " " : "", at->rule);
    return text;
}

static const char *subject_text(struct diff *diff, const struct pair *pair, const char *what)
{
    char from[MOMENT_TEXT_SIZE];

    moment_write(pair->now, from);
    return diff_text(diff, "%s in %s: %s%s%s", pair->principal, pair->organization, what,
                     pair->now != 0 ? ", from " : "", pair->now != 0 ? from : "");
}

static void tell_cell(struct diff *diff, const struct pair *pair, enum change_sense sense, const char *detail,
                      const struct rule *lifted)
{
    const char *subject = subject_text(diff, pair, pair->operation_id);
    const struct side *from = pair->new.operation != NULL ? &pair->new : &pair->old;
    const char *witness = sense == CHANGE_GAINED || sense == CHANGE_MAYBE
                              ? diff_witness(diff, from->side, pair->principal, pair->organization,
                                             from->operation, lifted, pair->now)
                              : NULL;

    diff_tell(diff, &(struct change){.sense = sense,
                                     .what = "cell",
                                     .subject = subject,
                                     .before = cell_text(diff, &pair->old.cell),
                                     .after = cell_text(diff, &pair->new.cell),
                                     .detail = detail,
                                     .witness = witness,
                                     .principal = pair->principal,
                                     .organization = pair->organization,
                                     .operation = pair->operation_id});
}

static bool is_partly(const struct side *side, const struct rule *rule)
{
    bool rename;

    (void)rule_is_about(rule, side->operation, &rename);
    return rename;
}

/* Does `other`, a condition of `to`, stand in for `one`, a condition of `from`? */
static bool stands_in(const struct diff *diff, const struct side *from, const struct cell_condition *one,
                      const struct side *to, const struct cell_condition *other)
{
    if (one->of == NULL || other->of == NULL)
        return one->of == other->of && strcmp(one->what, other->what) == 0;
    return rule_covers(diff, other->of, is_partly(to, other->of), one->of, is_partly(from, one->of));
}

/* The condition of `to` that stands in for `one`, looked for from `hint` on and then before it; NULL: none.
 */
static const struct cell_condition *find_cover(const struct diff *diff, const struct side *from,
                                               const struct cell_condition *one, const struct side *to,
                                               const struct cell_condition *hint)
{
    for (const struct cell_condition *at = hint; at != NULL; at = at->next)
        if (stands_in(diff, from, one, to, at))
            return at;
    for (const struct cell_condition *at = to->cell.conditions; at != hint; at = at->next)
        if (stands_in(diff, from, one, to, at))
            return at;
    return NULL;
}

/* The first condition of `from` that none of `to` stands in for; NULL: there is none. `diff` leads from the
 * one to the other. Both lists are nearly always in the same order: the cover of one is behind that of the
 * one before it. */
static const struct cell_condition *uncovered(const struct diff *diff, const struct side *from,
                                              const struct side *to)
{
    const struct cell_condition *hint = to->cell.conditions;

    for (const struct cell_condition *one = from->cell.conditions; one != NULL; one = one->next) {
        const struct cell_condition *cover = find_cover(diff, from, one, to, hint);
        if (cover == NULL)
            return one;
        hint = cover->next != NULL ? cover->next : to->cell.conditions;
    }
    return NULL;
}

/* Both are conditional. */
static void compare_conditions(struct diff *diff, const struct pair *pair)
{
    const struct cell_condition *lifted = uncovered(diff, &pair->old, &pair->new);
    const struct diff back = {.old = diff->new, .new = diff->old};

    if (lifted != NULL) {
        const struct rule *rule = lifted->of;
        const char *name = rule != NULL ? rule->id : lifted->what;

        tell_cell(diff, pair, CHANGE_MAYBE,
                  diff_text(diff, "nothing in the new policy can be shown to refuse all that %s \"%s\" did",
                            rule != NULL ? "the rule" : "the condition", name),
                  rule);
    } else if (uncovered(&back, &pair->new, &pair->old) != NULL) {
        tell_cell(diff, pair, CHANGE_LOST, "more conditions, or stricter ones", NULL);
    }
}

static void compare_cell(struct diff *diff, struct pair *pair)
{
    if (!make_cell(diff, &pair->old) || !make_cell(diff, &pair->new)) {
        diff->failed = true;
        return;
    }
    enum cell_verdict before = pair->old.cell.verdict, now = pair->new.cell.verdict;
    if (before == CELL_DENIED && now != CELL_DENIED)
        tell_cell(diff, pair, CHANGE_GAINED, NULL, NULL);
    else if (before == CELL_CONDITIONAL && now == CELL_ALLOWED)
        tell_cell(diff, pair, CHANGE_GAINED, "without conditions now", pair->old.cell.conditions->of);
    else if (before == CELL_CONDITIONAL && now == CELL_CONDITIONAL)
        compare_conditions(diff, pair);
    else if (before != now)
        tell_cell(diff, pair, CHANGE_LOST, now == CELL_CONDITIONAL ? "on conditions now" : NULL, NULL);
    else if (pair->old.cell.enforced != pair->new.cell.enforced)
        tell_cell(diff, pair, CHANGE_OTHER, "only observed: what it would be, were it enforced", NULL);
    arena_reset(&diff->arena);
}

/* ---- the gate's own permissions: no operation of the contract stands for them ---- */

static bool may(const struct side *side, permission_set permission)
{
    return side->place.principal != NULL && (side->place.access.allowed & permission) != 0;
}

static void compare_permission(struct diff *diff, const struct pair *pair, const char *name)
{
    permission_set permission = permission_named(span_of(name));
    bool before = may(&pair->old, permission), now = may(&pair->new, permission);

    if (before == now)
        return;
    diff_tell(diff, &(struct change){.sense = now ? CHANGE_GAINED : CHANGE_LOST,
                                     .what = "permission",
                                     .subject = subject_text(diff, pair, name),
                                     .before = before ? "granted" : NULL,
                                     .after = now ? "granted" : NULL,
                                     .principal = pair->principal,
                                     .organization = pair->organization});
}

/* ---- places ---- */

static void compare_operations(struct diff *diff, struct pair *pair)
{
    size_t count;
    const struct operation *operations = contract_operations(diff->old.contract, &count);

    for (size_t i = 0; i < count && !diff->failed; i++) {
        pair->operation_id = operations[i].id;
        pair->old.operation = &operations[i];
        pair->new.operation = diff_operation(diff->new.contract, operations[i].id);
        compare_cell(diff, pair);
    }
    operations = contract_operations(diff->new.contract, &count);
    for (size_t i = 0; i < count && !diff->failed; i++) {
        if (diff_operation(diff->old.contract, operations[i].id) != NULL)
            continue;
        pair->operation_id = operations[i].id;
        pair->old.operation = NULL;
        pair->new.operation = &operations[i];
        compare_cell(diff, pair);
    }
}

static void make_place(struct side *side, const char *principal, const unsigned char *id, int64_t now)
{
    const struct principal *found = policy_principal_named(side->side->policy, span_of(principal));

    side->place = (struct cell_place){.policy = side->side->policy};
    if (found != NULL)
        side->place = cell_place(side->side->policy, found, id, now);
}

static void compare_moment(struct diff *diff, const char *principal, const unsigned char *id, int64_t now)
{
    static const char *const own[] = {"portcullis.approve", "org.project.read"};
    struct pair pair = {.principal = principal, .now = now, .old.side = &diff->old, .new.side = &diff->new};
    char organization[UUID_TEXT_SIZE] = "*";

    if (id != NULL)
        uuid_spell(id, organization);
    pair.organization = organization;
    make_place(&pair.old, principal, id, now);
    make_place(&pair.new, principal, id, now);
    compare_operations(diff, &pair);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        compare_permission(diff, &pair, own[i]);
}

/* ---- moments at which grants begin and end ---- */

struct moments {
    int64_t *items;
    size_t count, room;
};

static bool add_moment(struct moments *moments, int64_t moment)
{
    if (moment <= 0 || moment == MOMENT_LAST)
        return true;
    if (moments->count == moments->room) {
        size_t room = moments->room > 0 ? moments->room * 2 : 16;
        int64_t *items = reallocarray(moments->items, room, sizeof *items);

        if (items == NULL)
            return false;
        moments->items = items;
        moments->room = room;
    }
    moments->items[moments->count++] = moment;
    return true;
}

static bool add_terms(struct moments *moments, const struct policy *policy, struct grant_pair pair)
{
    for (uint32_t at = find_grant(policy, pair); at != TABLE_NONE; at = policy->grants[at].next) {
        const struct term *term = &policy->terms[policy->grants[at].term];

        if (!add_moment(moments, term->not_before) ||
            !add_moment(moments, term->not_after == MOMENT_LAST ? MOMENT_LAST : term->not_after + 1))
            return false;
    }
    return true;
}

static bool add_policy(struct moments *moments, const struct policy *policy, const char *principal,
                       const unsigned char *id)
{
    uint32_t found = find_principal(policy, span_of(principal));
    uint32_t organization = id != NULL ? find_organization(policy, id) : TABLE_NONE;

    if (found == TABLE_NONE)
        return true;
    return add_terms(moments, policy, (struct grant_pair){EVERYWHERE, found}) &&
           (organization == TABLE_NONE ||
            add_terms(moments, policy, (struct grant_pair){organization, found}));
}

static int compare_numbers(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;

    return (one > other) - (one < other);
}

/* Between two moments nothing changes by time: each stretch is compared at its beginning. */
static void compare_place(struct diff *diff, const char *principal, const unsigned char *id)
{
    struct moments moments = {0};

    if (!add_policy(&moments, diff->old.policy, principal, id) ||
        !add_policy(&moments, diff->new.policy, principal, id)) {
        diff->failed = true;
    } else {
        compare_moment(diff, principal, id, 0);
        if (moments.count > 0)
            qsort(moments.items, moments.count, sizeof *moments.items, compare_numbers);
        for (size_t i = 0; i < moments.count && !diff->failed; i++)
            if (i == 0 || moments.items[i] != moments.items[i - 1])
                compare_moment(diff, principal, id, moments.items[i]);
    }
    free(moments.items);
}

static void compare_places(struct diff *diff, const char *principal,
                           const struct organizations *organizations)
{
    for (size_t i = 0; i < organizations->count && !diff->failed; i++)
        compare_place(diff, principal, organizations->ids[i]);
    compare_place(diff, principal, NULL);
}

void diff_cells(struct diff *diff)
{
    const struct policy *old = diff->old.policy, *new = diff->new.policy;
    struct organizations organizations;

    if (!organizations_collect(old, new, &organizations)) {
        diff->failed = true;
        return;
    }
    for (uint32_t i = 0; i < old->principal_count && !diff->failed; i++)
        compare_places(diff, old->principals[i].name, &organizations);
    for (uint32_t i = 0; i < new->principal_count && !diff->failed; i++)
        if (find_principal(old, span_of(new->principals[i].name)) == TABLE_NONE)
            compare_places(diff, new->principals[i].name, &organizations);
    organizations_free(&organizations);
}
