/* What is claimed, for people and programs that ask. */
#include "proxy/audit/claims_state.h"
#include "proxy/base/clock.h"

#include <stdlib.h>

static json_t *view_time(int64_t epoch_us)
{
    char text[CLOCK_TEXT];

    clock_format(epoch_us, text);
    return json_string(text);
}

static json_t *view_given(const struct held_approval *approval)
{
    json_t *given = json_array();

    for (size_t i = 0; i < approval->given_count; i++) {
        const struct agreement *agreement = &approval->given[i];

        if (json_array_append_new(given, json_pack("{s:s, s:s, s:o}", "person", agreement->person,
                                                   "principal", agreement->principal, "time",
                                                   view_time(agreement->time_us))) != 0) {
            json_decref(given);
            return NULL;
        }
    }
    return given;
}

static bool add_radius(json_t *view, const char *name, uint64_t number)
{
    return number == CLAIM_NO_RADIUS ||
           json_object_set_new(view, name, json_integer((json_int_t)number)) == 0;
}

json_t *claims_view_approval(const struct held_approval *approval)
{
    json_t *view =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:b, s:o}", "id", approval->held.name,
                  "principal", approval->principal, "rule", approval->rule, "request", approval->request,
                  "facts", approval->facts, "people", (int)approval->people, "requested",
                  view_time(approval->time_us), "expires", view_time(approval->expires_us), "used",
                  approval->state == APPROVAL_USED, "given", view_given(approval));

    if (view != NULL && add_radius(view, "targets", approval->targets) &&
        add_radius(view, "projects", approval->projects))
        return view;
    json_decref(view);
    return NULL;
}

json_t *claims_view_whole(const struct held_approval *approval)
{
    json_t *view = claims_view_approval(approval);

    if (view == NULL || json_object_set_new(view, "record", json_string(approval->record)) == 0)
        return view;
    json_decref(view);
    return NULL;
}

bool claims_view_finish(json_t *view)
{
    const char *text = json_string_value(json_object_get(view, "record"));

    return text != NULL && json_object_set_new(view, "record", json_loads(text, JSON_ALLOW_NUL, NULL)) == 0;
}

/* ---- lists ---- */

static int by_time(const void *left, const void *right)
{
    const struct held_approval *one = *(const struct held_approval *const *)left;
    const struct held_approval *other = *(const struct held_approval *const *)right;

    if (one->time_us != other->time_us)
        return one->time_us < other->time_us ? -1 : 1;
    return strcmp(one->held.name, other->held.name);
}

static int by_scope(const void *left, const void *right)
{
    return strcmp((*(const struct held *const *)left)->name, (*(const struct held *const *)right)->name);
}

/* What is looked for. */
struct look {
    int64_t now_us;
    struct span rule;     /* of budgets; data NULL: any */
    journal_shown *shown; /* of approvals */
    const void *arg;
};

typedef bool is_wanted(const struct held *held, const struct look *look);

static bool approval_wanted(const struct held *held, const struct look *look)
{
    const struct held_approval *approval = (const struct held_approval *)held;

    return approval_is_live(approval, look->now_us) &&
           look->shown(look->arg, span_of(approval->principal), span_of(approval->organization));
}

static bool budget_wanted(const struct held *held, const struct look *look)
{
    return look->rule.data == NULL || scope_is_of(held->name, look->rule);
}

/* Those of a kind that are wanted, sorted; to be freed. NULL when memory is out. */
static const struct held **collect(const struct book *book, enum held_kind kind, is_wanted *wanted,
                                   const struct look *look, size_t *count)
{
    const struct held **found = malloc((book->shelves[kind].count + 1) * sizeof(struct held *));

    *count = 0;
    if (found == NULL)
        return NULL;
    for (const struct held *held = book_next(book, kind, NULL); held != NULL;
         held = book_next(book, kind, held))
        if (wanted(held, look))
            found[(*count)++] = held;
    qsort(found, *count, sizeof(struct held *), kind == HELD_APPROVAL ? by_time : by_scope);
    return found;
}

static json_t *view_budget(const struct held_budget *budget, int64_t now_us)
{
    size_t spent = budget_spent(budget, now_us - budget->seconds * CLAIM_SECOND_US);
    json_t *view = json_pack("{s:s, s:i, s:I}", "scope", budget->held.name, "seconds", (int)budget->seconds,
                             "spent", (json_int_t)spent);

    if (view == NULL || budget->tripped_us == 0 ||
        json_object_set_new(view, "tripped", view_time(budget->tripped_us)) == 0)
        return view;
    json_decref(view);
    return NULL;
}

/* The views of all in the list, which is freed. */
static json_t *view_all(const struct held **found, size_t count, int64_t now_us)
{
    json_t *views = found != NULL ? json_array() : NULL;

    for (size_t i = 0; views != NULL && i < count; i++) {
        json_t *view = found[i]->kind == HELD_APPROVAL
                           ? claims_view_whole((const struct held_approval *)found[i])
                           : view_budget((const struct held_budget *)found[i], now_us);

        if (json_array_append_new(views, view) != 0) {
            json_decref(views);
            views = NULL;
        }
    }
    free(found);
    return views;
}

json_t *claims_view_approvals(const struct claims_state *state, int64_t now_us, journal_shown *shown,
                              const void *arg)
{
    const struct look look = {.now_us = now_us, .shown = shown, .arg = arg};
    size_t count;
    const struct held **found = collect(&state->book, HELD_APPROVAL, approval_wanted, &look, &count);

    return view_all(found, count, now_us);
}

json_t *claims_view_budgets(const struct claims_state *state, struct span rule, int64_t now_us)
{
    const struct look look = {.now_us = now_us, .rule = rule};
    size_t count;
    const struct held **found = collect(&state->book, HELD_BUDGET, budget_wanted, &look, &count);

    return view_all(found, count, now_us);
}
