/* What the end of an intent does to what it claimed. None of this is ever taken back: the record is durable.
 */
#include "proxy/audit/claims_internal.h"

#include <stdio.h>
#include <stdlib.h>

enum end { END_UNKNOWN, END_NOT_SENT, END_DONE, END_FOUND };

/* One intent that ends. */
struct ending {
    struct book *book;
    const struct held_flight *flight;
    enum end end;
    const struct claims_end *record;
};

static enum end end_of(const struct claims_end *record)
{
    if (record->found)
        return END_FOUND;
    if (!record->sent)
        return END_NOT_SENT;
    return span_is(record->result, "unknown") ? END_UNKNOWN : END_DONE;
}

/* Keeps the answer, as far as there is room for it; of one principal's not more than is left for all others.
 */
static void keep_replay(const struct ending *ending, struct held_key *key)
{
    struct span replay = ending->record->replay;
    struct book *book = ending->book;
    size_t owner = key->principal != NULL ? book_owner(span_of(key->principal)) : BOOK_OWNERS;
    size_t own = owner < BOOK_OWNERS ? book->owners[owner].replays : 0;

    if (replay.data == NULL || replay.length > CLAIM_REPLAY_BYTES ||
        book->replays + own + replay.length > CLAIM_REPLAYS)
        return;
    key->replay = span_copy(replay);
    if (key->replay == NULL)
        return;
    book->replays += replay.length;
    if (owner < BOOK_OWNERS)
        book->owners[owner].replays += (uint32_t)replay.length;
}

static void end_key(const struct ending *ending, const struct flight_claim *claim)
{
    struct held_key *key = (struct held_key *)book_find(ending->book, HELD_KEY, claim->name);
    struct span result = ending->record->result;

    if (key == NULL || strcmp(key->request_id, ending->flight->held.name) != 0)
        return;
    switch (ending->end) {
    case END_NOT_SENT:
        book_forget(ending->book, &key->held);
        break;
    case END_UNKNOWN:
        key->state = KEY_UNKNOWN;
        break;
    case END_FOUND:
        key->state = result.data == NULL || span_is(result, "unknown") ? KEY_UNKNOWN : KEY_DONE;
        (void)snprintf(key->found, sizeof key->found, "%.*s", (int)result.length,
                       result.data != NULL ? result.data : "");
        break;
    case END_DONE:
        if (ending->record->upstream_status == 429) {
            book_forget(ending->book, &key->held);
            break;
        }
        key->state = KEY_DONE;
        if (ending->record->status < 1000)
            key->status = ending->record->status;
        keep_replay(ending, key);
        break;
    }
}

static void end_twin(const struct ending *ending, const struct flight_claim *claim)
{
    struct held *twin = book_find(ending->book, HELD_TWIN, claim->name);

    if (twin != NULL && ending->end != END_UNKNOWN)
        book_forget(ending->book, twin);
}

static void end_approval(const struct ending *ending, const struct flight_claim *claim)
{
    struct held_approval *approval =
        (struct held_approval *)book_find(ending->book, HELD_APPROVAL, claim->name);

    if (approval == NULL || ending->end == END_UNKNOWN)
        return;
    approval_step(approval, ending->end == END_NOT_SENT ? APPROVAL_PENDING : APPROVAL_OVER);
    if (ending->end == END_NOT_SENT)
        approval->state = APPROVAL_PENDING;
    else
        book_forget(ending->book, &approval->held);
}

static void end_budget(const struct ending *ending, const struct flight_claim *claim)
{
    struct held *budget = book_find(ending->book, HELD_BUDGET, claim->name);

    if (budget != NULL && ending->end == END_NOT_SENT)
        (void)book_give_back(ending->book, (struct held_budget *)budget, ending->flight->time_us);
}

static void end_one(const struct ending *ending, const struct flight_claim *claim)
{
    static void (*const enders[CLAIM_KINDS])(const struct ending *, const struct flight_claim *) = {
        [CLAIM_KEY] = end_key,
        [CLAIM_TWIN] = end_twin,
        [CLAIM_APPROVAL] = end_approval,
        [CLAIM_BUDGET] = end_budget,
    };

    if (enders[claim->kind] != NULL)
        enders[claim->kind](ending, claim);
}

void claims_settle(struct book *book, const struct claims_end *end)
{
    struct held *held = end->request_id.data != NULL ? book_find(book, HELD_FLIGHT, end->request_id) : NULL;

    if (held == NULL)
        return;
    const struct held_flight *flight = (struct held_flight *)held;
    const struct ending ending = {book, flight, end_of(end), end};
    for (size_t i = 0; i < flight->count; i++)
        end_one(&ending, &flight->list[i]);
    if (ending.end != END_UNKNOWN)
        book_forget(book, held);
}
