/* What the end of an intent does to what it claimed. None of this is ever taken back: the record is durable.
 */
#include "proxy/audit/claims_internal.h"
#include "proxy/audit/scan.h"

#include <stdio.h>
#include <stdlib.h>

enum end { END_UNKNOWN, END_NOT_SENT, END_DONE, END_FOUND };

/* One intent that ends. */
struct ending {
    struct book *book;
    const struct held_flight *flight;
    enum end end;
    const struct scan *scan;
};

static enum end end_of(const struct scan *scan)
{
    struct span result = scan_text(scan_find(scan, "result"));

    if (span_is(scan_text(scan_find(scan, "stage")), "reconciled"))
        return END_FOUND;
    if (span_is(scan_find(scan, "sent"), "false"))
        return END_NOT_SENT;
    return span_is(result, "unknown") ? END_UNKNOWN : END_DONE;
}

/* Keeps the answer, as far as there is room for it. */
static void keep_replay(const struct ending *ending, struct held_key *key)
{
    struct span replay = scan_find(ending->scan, "replay");

    if (replay.data == NULL || replay.length > CLAIM_REPLAY_BYTES ||
        ending->book->replays + replay.length > CLAIM_REPLAYS)
        return;
    key->replay = span_copy(replay);
    if (key->replay != NULL)
        ending->book->replays += replay.length;
}

static void end_key(const struct ending *ending, const struct claim *claim)
{
    struct held_key *key = (struct held_key *)book_find(ending->book, HELD_KEY, claim->scope);
    struct span result = scan_text(scan_find(ending->scan, "result"));
    uint64_t status = 0, answered = 0;

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
        if (scan_number(scan_find(ending->scan, "upstream_status"), &answered) && answered == 429) {
            book_forget(ending->book, &key->held);
            break;
        }
        key->state = KEY_DONE;
        if (scan_number(scan_find(ending->scan, "status"), &status) && status < 1000)
            key->status = (unsigned)status;
        keep_replay(ending, key);
        break;
    }
}

static void end_twin(const struct ending *ending, const struct claim *claim)
{
    struct held *twin = book_find(ending->book, HELD_TWIN, claim->scope);

    if (twin != NULL && ending->end != END_UNKNOWN)
        book_forget(ending->book, twin);
}

static void end_approval(const struct ending *ending, const struct claim *claim)
{
    struct held *approval = book_find(ending->book, HELD_APPROVAL, claim->id);

    if (approval == NULL || ending->end == END_UNKNOWN)
        return;
    if (ending->end == END_NOT_SENT)
        ((struct held_approval *)approval)->used = false;
    else
        book_forget(ending->book, approval);
}

static void end_budget(const struct ending *ending, const struct claim *claim)
{
    struct held *budget = book_find(ending->book, HELD_BUDGET, claim->scope);

    if (budget != NULL && ending->end == END_NOT_SENT)
        (void)book_give_back(ending->book, (struct held_budget *)budget, ending->flight->time_us);
}

static void end_one(const struct ending *ending, const struct claim *claim)
{
    static void (*const enders[CLAIM_KINDS])(const struct ending *, const struct claim *) = {
        [CLAIM_KEY] = end_key,
        [CLAIM_TWIN] = end_twin,
        [CLAIM_APPROVAL] = end_approval,
        [CLAIM_BUDGET] = end_budget,
    };

    if (enders[claim->kind] != NULL)
        enders[claim->kind](ending, claim);
}

bool claims_settle(struct book *book, const struct scan *scan)
{
    struct span request_id = scan_text(scan_find(scan, "request_id"));
    struct held *flight = request_id.data != NULL ? book_find(book, HELD_FLIGHT, request_id) : NULL;
    struct claim claims[CLAIMS_MOST];
    size_t count;

    if (flight == NULL)
        return true;
    const struct ending ending = {book, (struct held_flight *)flight, end_of(scan), scan};
    json_t *array = json_loads(ending.flight->claims, 0, NULL);
    bool read = array != NULL && claims_read(array, claims, &count);
    for (size_t i = 0; read && i < count; i++)
        end_one(&ending, &claims[i]);
    json_decref(array);
    if (read && ending.end != END_UNKNOWN)
        book_forget(book, flight);
    return read;
}
