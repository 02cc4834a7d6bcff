/* Doing what a record claims. */
#include "proxy/audit/claims_internal.h"

#include <stdlib.h>

/* Sets a text of a new or copied thing. */
static bool set(char **text, struct span value)
{
    free(*text);
    *text = span_copy(value);
    return *text != NULL;
}

/* Puts a new one in the place of any of that name, if it was made whole. */
static bool put(struct book *book, struct held *made, bool whole)
{
    if (made == NULL)
        return false;
    if (!whole) {
        book_drop(made);
        return false;
    }
    return book_change(book, book_find(book, made->kind, span_of(made->name)), made);
}

static bool reserve_key(struct book *book, const struct claims_record *record, const struct claim *claim)
{
    struct held_key *key = (struct held_key *)book_make(HELD_KEY, claim->scope);

    if (key == NULL)
        return false;
    key->time_us = record->time_us;
    bool whole = set(&key->request, claim->request) && set(&key->request_id, record->request_id) &&
                 (claim->principal.data == NULL || set(&key->principal, claim->principal));
    return put(book, &key->held, whole);
}

static bool reserve_twin(struct book *book, const struct claims_record *record, const struct claim *claim)
{
    struct held_twin *twin = (struct held_twin *)book_make(HELD_TWIN, claim->scope);

    if (twin == NULL)
        return false;
    twin->time_us = record->time_us;
    return put(book, &twin->held, true);
}

static bool reserve_approval(struct book *book, const struct claims_record *record, const struct claim *claim)
{
    struct held *held = book_find(book, HELD_APPROVAL, claim->id);
    (void)record;

    if (held == NULL) /* in a log only, whose beginning is not there: nothing to use up */
        return true;
    struct held_approval *used = (struct held_approval *)book_copy(held);
    if (used == NULL)
        return false;
    approval_step(used, APPROVAL_USED);
    used->state = APPROVAL_USED;
    return book_change(book, held, &used->held);
}

/* The budget's own struct; a new one where there is none. */
static struct held_budget *get_budget(struct book *book, const struct claim *claim)
{
    struct held *held = book_find(book, HELD_BUDGET, claim->scope);

    if (held == NULL) {
        held = book_make(HELD_BUDGET, claim->scope);
        if (held == NULL)
            return NULL;
        ((struct held_budget *)held)->seconds = claim->seconds;
        if (!book_change(book, NULL, held))
            return NULL;
    }
    return (struct held_budget *)held;
}

static bool reserve_budget(struct book *book, const struct claims_record *record, const struct claim *claim)
{
    struct held_budget *budget = get_budget(book, claim);

    return budget != NULL && book_spend(book, budget, record->time_us, claim->seconds);
}

static bool trip(struct book *book, const struct claims_record *record, const struct claim *claim)
{
    struct held_budget *budget = get_budget(book, claim);
    struct held *tripped = budget != NULL ? book_copy(&budget->held) : NULL;

    if (tripped == NULL)
        return false;
    ((struct held_budget *)tripped)->tripped_us = record->time_us;
    return book_change(book, &budget->held, tripped);
}

bool scope_is_of(const char *scope, struct span wanted)
{
    return strncmp(scope, wanted.data, wanted.length) == 0 &&
           (scope[wanted.length] == '\0' ||
            (scope[wanted.length] == '\n' && memchr(wanted.data, '\n', wanted.length) == NULL));
}

/* What was spent is forgiven, too: else the next request would trip it again. */
static bool reset(struct book *book, const struct claims_record *record, const struct claim *claim)
{
    struct held *next = book_next(book, HELD_BUDGET, NULL);
    (void)record;

    for (struct held *held = next; held != NULL; held = next) {
        next = book_next(book, HELD_BUDGET, held);
        if (scope_is_of(held->name, claim->scope) && !book_change(book, held, NULL))
            return false;
    }
    return true;
}

static bool ask(struct book *book, const struct claims_record *record, const struct claim *claim)
{
    struct held_approval *approval = (struct held_approval *)book_make(HELD_APPROVAL, claim->id);

    if (approval == NULL)
        return false;
    approval->targets = claim->targets;
    approval->projects = claim->projects;
    approval->people = claim->people;
    approval->time_us = record->time_us;
    approval->expires_us = record->time_us + claim->seconds * CLAIM_SECOND_US;
    approval_step(approval, APPROVAL_PENDING);
    approval->state = APPROVAL_PENDING;
    bool whole = set(&approval->request, claim->request) && set(&approval->facts, claim->facts) &&
                 set(&approval->rule, claim->rule) && set(&approval->principal, claim->principal) &&
                 approval_set_record(approval, record->text);
    return put(book, &approval->held, whole);
}

static bool give(struct book *book, const struct claims_record *record, const struct claim *claim)
{
    struct held *held = book_find(book, HELD_APPROVAL, claim->id);
    struct held_approval *approval;

    if (held == NULL || ((struct held_approval *)held)->given_count == CLAIM_PEOPLE)
        return true;
    approval = (struct held_approval *)book_copy(held);
    if (approval == NULL)
        return false;
    approval_step(approval, APPROVAL_PENDING);
    struct agreement *given = &approval->given[approval->given_count++];
    *given = (struct agreement){.time_us = record->time_us};
    if (set(&given->principal, claim->principal) && set(&given->person, claim->person))
        return book_change(book, held, &approval->held);
    book_drop(&approval->held);
    return false;
}

static bool withdraw(struct book *book, const struct claims_record *record, const struct claim *claim)
{
    struct held *held = book_find(book, HELD_APPROVAL, claim->id);
    struct held_approval *approval;
    (void)record;

    if (held == NULL)
        return true;
    approval = (struct held_approval *)book_copy(held);
    if (approval == NULL)
        return false;
    approval_step(approval, APPROVAL_PENDING);
    size_t kept = 0;
    for (size_t i = 0; i < approval->given_count; i++)
        if (span_is(claim->principal, approval->given[i].principal)) {
            free(approval->given[i].principal);
            free(approval->given[i].person);
        } else {
            approval->given[kept++] = approval->given[i];
        }
    approval->given_count = kept;
    return book_change(book, held, &approval->held);
}

static bool make_void(struct book *book, const struct claims_record *record, const struct claim *claim)
{
    struct held *held = book_find(book, HELD_APPROVAL, claim->id);
    (void)record;

    if (held == NULL)
        return true;
    approval_step((const struct held_approval *)held, APPROVAL_OVER);
    return book_change(book, held, NULL);
}

static bool (*const doers[CLAIM_KINDS])(struct book *, const struct claims_record *, const struct claim *) = {
    [CLAIM_KEY] = reserve_key,
    [CLAIM_TWIN] = reserve_twin,
    [CLAIM_APPROVAL] = reserve_approval,
    [CLAIM_BUDGET] = reserve_budget,
    [CLAIM_ASK] = ask,
    [CLAIM_GIVE] = give,
    [CLAIM_WITHDRAW] = withdraw,
    [CLAIM_VOID] = make_void,
    [CLAIM_RESET] = reset,
    [CLAIM_TRIP] = trip,
};

/* What is needed to settle an intent when its end comes. */
static bool take_off(struct book *book, const struct claims_record *record)
{
    struct held_flight *flight = (struct held_flight *)book_make(HELD_FLIGHT, record->request_id);

    if (flight == NULL)
        return false;
    flight->time_us = record->time_us;
    bool whole = set(&flight->claims, record->written) && flight_list(flight, record->claims, record->count);
    return put(book, &flight->held, whole);
}

bool claims_reserve(struct book *book, const struct claims_record *record)
{
    size_t before = book->change_count;
    bool done = record->claims[0].kind > CLAIM_BUDGET || take_off(book, record);

    for (size_t i = 0; done && i < record->count; i++)
        done = doers[record->claims[i].kind](book, record, &record->claims[i]);
    if (!done)
        book_take_back(book, before);
    return done;
}
