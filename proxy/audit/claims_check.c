/* Whether a record may have what it claims. */
#include "proxy/audit/claims_internal.h"

#include <stdio.h>

static void copy(char *to, size_t room, struct span text)
{
    (void)snprintf(to, room, "%.*s", (int)text.length, text.data);
}

bool approval_is_live(const struct held_approval *approval, int64_t now_us)
{
    return approval->state == APPROVAL_PENDING && approval->expires_us > now_us;
}

struct held_approval *approval_for(const struct book *book, struct span request, int64_t now_us)
{
    struct held_approval *found = NULL;

    for (struct held *held = book_next(book, HELD_APPROVAL, NULL); held != NULL;
         held = book_next(book, HELD_APPROVAL, held)) {
        struct held_approval *approval = (struct held_approval *)held;

        if (approval_is_live(approval, now_us) && span_is(request, approval->request) &&
            (found == NULL || approval->time_us < found->time_us))
            found = approval;
    }
    return found;
}

bool key_is_live(const struct book *book, const struct held_key *key, int64_t now_us)
{
    return key->time_us + CLAIM_KEY_S * CLAIM_SECOND_US > now_us ||
           (key->state != KEY_DONE && book_find(book, HELD_FLIGHT, span_of(key->request_id)) != NULL);
}

static bool is_full(const struct book *book, enum held_kind kind, size_t most)
{
    return book->shelves[kind].count >= most;
}

/* ---- of an intent ---- */

/* Has the principal as many keys as there is room left for? So whoever comes late finds some still, however
 * many others have. */
static bool has_its_share(const struct book *book, struct span principal)
{
    return principal.data != NULL &&
           book->owners[book_owner(principal)].keys >= CLAIM_KEYS - book->shelves[HELD_KEY].count;
}

static enum claim_result check_new_key(const struct book *book, const struct claim *claim)
{
    bool room = !is_full(book, HELD_KEY, CLAIM_KEYS) && !has_its_share(book, claim->principal);

    return room ? CLAIMS_TAKEN : CLAIMS_FULL;
}

static enum claim_result check_key(const struct book *book, const struct claims_record *record,
                                   const struct claim *claim, struct claim_verdict *verdict)
{
    static const enum claim_result results[] = {[KEY_IN_FLIGHT] = CLAIM_KEY_IN_FLIGHT,
                                                [KEY_UNKNOWN] = CLAIM_KEY_UNKNOWN,
                                                [KEY_DONE] = CLAIM_KEY_DONE};
    const struct held_key *key = (const struct held_key *)book_find(book, HELD_KEY, claim->scope);

    if (key == NULL)
        return check_new_key(book, claim);
    if (!key_is_live(book, key, record->time_us))
        return CLAIMS_TAKEN;
    if (!span_is(claim->request, key->request))
        return CLAIM_KEY_OTHER;
    copy(verdict->request_id, sizeof verdict->request_id, span_of(key->request_id));
    copy(verdict->found, sizeof verdict->found, span_of(key->found));
    verdict->status = key->status;
    verdict->replay = span_of(key->replay);
    return results[key->state];
}

static enum claim_result check_twin(const struct book *book, const struct claims_record *record,
                                    const struct claim *claim, struct claim_verdict *verdict)
{
    (void)record, (void)verdict;
    return book_find(book, HELD_TWIN, claim->scope) == NULL ? CLAIMS_TAKEN : CLAIM_TWIN_IN_FLIGHT;
}

static bool is_entitled(const struct claim *claim, const char *principal)
{
    bool entitled = claim->entitled == NULL;

    for (size_t i = 0; !entitled && i < claim->entitled_count; i++)
        entitled = span_is(claim->entitled[i], principal);
    return entitled;
}

/* Distinct people behind it, of those who still count. */
static unsigned count_people(const struct held_approval *approval, const struct claim *claim)
{
    unsigned people = 0;

    for (size_t i = 0; i < approval->given_count; i++) {
        bool counts = is_entitled(claim, approval->given[i].principal);

        for (size_t j = 0; counts && j < i; j++)
            counts = strcmp(approval->given[j].person, approval->given[i].person) != 0 ||
                     !is_entitled(claim, approval->given[j].principal);
        people += counts;
    }
    return people;
}

static void show_approval(const struct held_approval *approval, const struct claim *claim, unsigned needed,
                          struct claim_verdict *verdict)
{
    copy(verdict->approval, sizeof verdict->approval, span_of(approval->held.name));
    verdict->given = count_people(approval, claim);
    verdict->needed = needed;
    verdict->expires_us = approval->expires_us;
}

/* No larger than what was approved; one that is not known is equal to itself alone. */
static bool within(uint64_t number, uint64_t approved)
{
    if (number == CLAIM_NO_RADIUS || approved == CLAIM_NO_RADIUS)
        return number == approved;
    return number <= approved;
}

/* Was what the claim knows of the facts approved? */
static bool fits(const struct held_approval *approval, const struct claim *claim)
{
    return span_is(claim->facts, approval->facts) && within(claim->targets, approval->targets) &&
           within(claim->projects, approval->projects);
}

static enum claim_result check_approval(const struct book *book, const struct claims_record *record,
                                        const struct claim *claim, struct claim_verdict *verdict)
{
    const struct held_approval *approval =
        claim->id.data != NULL ? (const struct held_approval *)book_find(book, HELD_APPROVAL, claim->id)
                               : approval_for(book, claim->request, record->time_us);

    verdict->needed = claim->people;
    if (approval == NULL || !approval_is_live(approval, record->time_us) ||
        !span_is(claim->request, approval->request))
        return CLAIM_NOT_APPROVED;
    show_approval(approval, claim, claim->people, verdict);
    if (!fits(approval, claim))
        return CLAIM_APPROVAL_STALE;
    return claim->id.data == NULL || verdict->given < claim->people ? CLAIM_NOT_APPROVED : CLAIMS_TAKEN;
}

/* Seconds from now until that moment, at least 1. */
static unsigned seconds_until(int64_t then_us, int64_t now_us)
{
    int64_t seconds = (then_us - now_us + CLAIM_SECOND_US - 1) / CLAIM_SECOND_US;

    return seconds < 1 ? 1 : seconds > CLAIM_SECONDS ? CLAIM_SECONDS : (unsigned)seconds;
}

static enum claim_result check_budget(const struct book *book, const struct claims_record *record,
                                      const struct claim *claim, struct claim_verdict *verdict)
{
    const struct held_budget *budget = (const struct held_budget *)book_find(book, HELD_BUDGET, claim->scope);
    int64_t window_us = claim->seconds * CLAIM_SECOND_US;

    if (book->spendings >= CLAIM_SPENDINGS || (budget == NULL && is_full(book, HELD_BUDGET, CLAIM_BUDGETS)))
        return CLAIMS_FULL;
    if (budget == NULL)
        return CLAIMS_TAKEN;
    size_t spent = budget_spent(budget, record->time_us - window_us);
    if (claim->until_reset && (budget->tripped_us != 0 || spent >= claim->requests))
        return CLAIM_BREAKER_OPEN;
    if (spent < claim->requests)
        return CLAIMS_TAKEN;
    verdict->retry_after_s =
        seconds_until(budget->times[budget->count - claim->requests] + window_us, record->time_us);
    return CLAIM_BUDGET_SPENT;
}

/* ---- of an approval ---- */

/* How many of the principal's wait, and *bytes of what is kept of them. */
static unsigned count_pending(const struct book *book, struct span principal, int64_t now_us, size_t *bytes)
{
    unsigned pending = 0;

    *bytes = 0;
    for (const struct held *held = book_next(book, HELD_APPROVAL, NULL); held != NULL;
         held = book_next(book, HELD_APPROVAL, held)) {
        const struct held_approval *approval = (const struct held_approval *)held;

        if (!approval_is_live(approval, now_us) || !span_is(principal, approval->principal))
            continue;
        pending++;
        *bytes += strlen(approval->record);
    }
    return pending;
}

static enum claim_result check_ask(const struct book *book, const struct claims_record *record,
                                   const struct claim *claim, struct claim_verdict *verdict)
{
    const struct held_approval *pending = approval_for(book, claim->request, record->time_us);
    unsigned limit = claim->limit > 0 ? claim->limit : CLAIM_PENDING;
    size_t own;

    if (pending != NULL) {
        show_approval(pending, claim, claim->people, verdict);
        return fits(pending, claim) ? CLAIM_PENDING_ALREADY : CLAIM_APPROVAL_STALE;
    }
    if (book_find(book, HELD_APPROVAL, claim->id) != NULL || claim->id.length >= sizeof verdict->approval)
        return CLAIMS_INVALID;
    if (count_pending(book, claim->principal, record->time_us, &own) >= limit)
        return CLAIM_TOO_MANY;
    if (is_full(book, HELD_APPROVAL, CLAIM_APPROVALS) || record->text.length > CLAIM_REQUEST_BYTES ||
        book->requests + own + record->text.length > CLAIM_REQUESTS_BYTES) /* as with keys: its share */
        return CLAIMS_FULL;
    copy(verdict->approval, sizeof verdict->approval, claim->id);
    verdict->needed = claim->people;
    verdict->expires_us = record->time_us + claim->seconds * CLAIM_SECOND_US;
    return CLAIMS_TAKEN;
}

static const struct held_approval *live_approval(const struct book *book, const struct claims_record *record,
                                                 const struct claim *claim)
{
    const struct held_approval *approval =
        (const struct held_approval *)book_find(book, HELD_APPROVAL, claim->id);

    return approval != NULL && approval_is_live(approval, record->time_us) ? approval : NULL;
}

static enum claim_result check_give(const struct book *book, const struct claims_record *record,
                                    const struct claim *claim, struct claim_verdict *verdict)
{
    const struct held_approval *approval = live_approval(book, record, claim);

    if (approval == NULL)
        return CLAIM_NOT_FOUND;
    show_approval(approval, claim, approval->people, verdict);
    for (size_t i = 0; i < approval->given_count; i++)
        if (span_is(claim->person, approval->given[i].person) ||
            span_is(claim->principal, approval->given[i].principal))
            return CLAIM_GIVEN_BEFORE;
    if (approval->given_count == CLAIM_PEOPLE)
        return CLAIMS_FULL;
    verdict->given++;
    return CLAIMS_TAKEN;
}

static enum claim_result check_withdraw(const struct book *book, const struct claims_record *record,
                                        const struct claim *claim, struct claim_verdict *verdict)
{
    const struct held_approval *approval = live_approval(book, record, claim);

    if (approval == NULL)
        return CLAIM_NOT_FOUND;
    show_approval(approval, claim, approval->people, verdict);
    for (size_t i = 0; i < approval->given_count; i++)
        if (span_is(claim->principal, approval->given[i].principal)) {
            verdict->given--; /* nobody is there twice */
            return CLAIMS_TAKEN;
        }
    return CLAIM_NOT_FOUND;
}

static enum claim_result check_void(const struct book *book, const struct claims_record *record,
                                    const struct claim *claim, struct claim_verdict *verdict)
{
    const struct held_approval *approval = live_approval(book, record, claim);

    if (approval == NULL)
        return CLAIM_NOT_FOUND;
    show_approval(approval, claim, approval->people, verdict);
    return CLAIMS_TAKEN;
}

/* ---- of a breaker ---- */

static enum claim_result check_reset(const struct book *book, const struct claims_record *record,
                                     const struct claim *claim, struct claim_verdict *verdict)
{
    (void)verdict;
    for (const struct held *held = book_next(book, HELD_BUDGET, NULL); held != NULL;
         held = book_next(book, HELD_BUDGET, held)) {
        const struct held_budget *budget = (const struct held_budget *)held;

        if (scope_is_of(held->name, claim->scope) &&
            (budget->tripped_us != 0 ||
             budget_spent(budget, record->time_us - budget->seconds * CLAIM_SECOND_US) > 0))
            return CLAIMS_TAKEN;
    }
    return CLAIM_NOT_FOUND;
}

static enum claim_result check_trip(const struct book *book, const struct claims_record *record,
                                    const struct claim *claim, struct claim_verdict *verdict)
{
    const struct held_budget *budget = (const struct held_budget *)book_find(book, HELD_BUDGET, claim->scope);
    (void)record, (void)verdict;

    return budget == NULL || budget->tripped_us == 0 ? CLAIMS_TAKEN : CLAIM_BREAKER_OPEN;
}

static enum claim_result (*const checkers[CLAIM_KINDS])(const struct book *, const struct claims_record *,
                                                        const struct claim *, struct claim_verdict *) = {
    [CLAIM_KEY] = check_key,           [CLAIM_TWIN] = check_twin, [CLAIM_APPROVAL] = check_approval,
    [CLAIM_BUDGET] = check_budget,     [CLAIM_ASK] = check_ask,   [CLAIM_GIVE] = check_give,
    [CLAIM_WITHDRAW] = check_withdraw, [CLAIM_VOID] = check_void, [CLAIM_RESET] = check_reset,
    [CLAIM_TRIP] = check_trip,
};

void claims_check(const struct book *book, const struct claims_record *record, struct claim_verdict *verdict)
{
    *verdict = (struct claim_verdict){.result = CLAIMS_TAKEN};
    if (is_full(book, HELD_FLIGHT, CLAIM_FLIGHTS) && record->claims[0].kind <= CLAIM_BUDGET) {
        verdict->result = CLAIMS_FULL;
        return;
    }
    for (enum claim_kind kind = 0; kind < CLAIM_KINDS; kind++)
        for (size_t i = 0; i < record->count && verdict->result == CLAIMS_TAKEN; i++)
            if (record->claims[i].kind == kind) {
                verdict->claim = i;
                verdict->result = checkers[kind](book, record, &record->claims[i], verdict);
            }
}
