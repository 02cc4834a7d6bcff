/* Claims in the journal: how a record with claims comes to the writer, and what the writer does with it. */
#include "policies/arena.h"
#include "proxy/audit/journal_internal.h"
#include "proxy/base/clock.h"

#include <stdlib.h>

/* ---- from a loop to the writer ---- */

/* Where a text of a claim stands; NULL behind the last. */
#define CLAIM_TEXTS 7
static void texts_of(struct claim *claim, struct span *texts[static CLAIM_TEXTS + 1])
{
    size_t count = 0;

    texts[count++] = &claim->scope;
    texts[count++] = &claim->request;
    texts[count++] = &claim->id;
    texts[count++] = &claim->facts;
    texts[count++] = &claim->rule;
    texts[count++] = &claim->principal;
    texts[count++] = &claim->person;
    texts[count] = NULL;
}

static size_t align(size_t size)
{
    return (size + _Alignof(struct span) - 1) / _Alignof(struct span) * _Alignof(struct span);
}

/* Moves a text to the end of what is taken of the memory. */
static void move(struct text *texts, struct span *text)
{
    if (text->data == NULL)
        return;
    memcpy(texts->data + texts->length, text->data, text->length);
    text->data = texts->data + texts->length;
    texts->length += text->length;
}

/* Bytes that a claim's own copy of its texts takes, the list of the entitled first. */
static size_t measure(struct claim *claim)
{
    struct span *texts[CLAIM_TEXTS + 1];
    size_t bytes = claim->entitled != NULL ? align(claim->entitled_count * sizeof(struct span)) : 0;

    texts_of(claim, texts);
    for (size_t i = 0; texts[i] != NULL; i++)
        bytes += texts[i]->length;
    for (size_t i = 0; claim->entitled != NULL && i < claim->entitled_count; i++)
        bytes += claim->entitled[i].length;
    return align(bytes) + _Alignof(struct span);
}

static void own(struct text *memory, struct claim *claim)
{
    struct span *texts[CLAIM_TEXTS + 1];

    memory->length = align(memory->length);
    if (claim->entitled != NULL) {
        struct span *entitled = (void *)(memory->data + memory->length);

        memory->length += align(claim->entitled_count * sizeof(struct span));
        for (size_t i = 0; i < claim->entitled_count; i++) {
            entitled[i] = claim->entitled[i];
            move(memory, &entitled[i]);
        }
        claim->entitled = entitled;
    }
    texts_of(claim, texts);
    for (size_t i = 0; texts[i] != NULL; i++)
        move(memory, texts[i]);
}

/* The text between a string's quotes; data NULL where there is none. */
static struct span unquote(struct span string)
{
    return string.data != NULL ? (struct span){string.data + 1, string.length - 2} : string;
}

/* Does the record say of itself what its maker says that it claims? Takes what the writer needs of it. */
static bool fits(const struct record *record, struct claims_record *claimed)
{
    struct text text = {0};

    claimed->text = (struct span){record->text.data, record->text.length - 1};
    claimed->written = record_kept(record, RECORD_CLAIMS);
    claimed->request_id = unquote(record_kept(record, RECORD_REQUEST_ID));
    claimed->time_us = record->time_us;
    claims_write(claimed->claims, claimed->count, &text);
    bool same = !text.failed && span_equal(claimed->written, (struct span){text.data, text.length});
    text_free(&text);
    return same && !record->owed &&
           claims_valid(claimed->claims, claimed->count, span_of(record_stage_name(record->stage))) &&
           (claimed->request_id.length > 0 || claimed->claims[0].kind > CLAIM_BUDGET);
}

static struct entry *make_entry(const struct record *record, const struct claim *claims, size_t count)
{
    struct entry *entry = calloc(1, sizeof *entry);
    struct entry_claims *own_claims = calloc(1, sizeof *own_claims + count * sizeof *claims);
    size_t bytes = 0;

    if (entry == NULL || own_claims == NULL) {
        free(own_claims);
        free(entry);
        return NULL;
    }
    entry->claims = own_claims;
    own_claims->verdict.result = CLAIMS_LOST;
    own_claims->record = (struct claims_record){.claims = own_claims->claims, .count = count};
    memcpy(own_claims->claims, claims, count * sizeof *claims);
    for (size_t i = 0; i < count; i++)
        bytes += measure(&own_claims->claims[i]);
    if (text_reserve(&own_claims->texts, bytes)) {
        for (size_t i = 0; i < count; i++)
            own(&own_claims->texts, &own_claims->claims[i]);
        if (fits(record, &own_claims->record))
            return entry;
    }
    entry_free(entry);
    return NULL;
}

bool journal_append_claiming(struct journal_port *port, struct record *record, const struct claim *claims,
                             size_t count, journal_claimed *done, void *arg)
{
    struct entry *entry;

    if (record->text.failed || record->text.length == 0 || count == 0 || count > CLAIMS_MOST)
        return false;
    entry = make_entry(record, claims, count);
    if (entry == NULL)
        return false;
    entry->port = port;
    entry->arg = arg;
    entry->claims->done = done;
    if (port_submit(port, entry, record))
        return true;
    entry_free(entry);
    return false;
}

/* ---- the writer ---- */

/* Shuts a breaker that the refused record would have overrun, if it is not shut, and has that recorded. */
static void trip(struct journal *journal, const struct entry_claims *refused, struct entry_list *entries)
{
    const struct claim *budget = &refused->claims[refused->verdict.claim];
    const struct claim claim = {.kind = CLAIM_TRIP, .scope = budget->scope, .seconds = budget->seconds};
    struct claims_record record = refused->record;
    struct claim_verdict verdict;
    struct text text = {0};
    size_t before = journal->claims.book.change_count;

    record.claims = &claim;
    record.count = 1;
    claims_state_take(&journal->claims, &record, &verdict);
    if (verdict.result != CLAIMS_TAKEN)
        return;
    claims_write(&claim, 1, &text);
    if (text.failed || !entry_add(entries, &(struct record_fields){
                                               .stage = STAGE_BREAKER,
                                               .time_us = record.time_us,
                                               .claims = {text.data, text.length},
                                               .request_id = record.request_id,
                                               .result = SPAN("tripped"),
                                           }))
        book_take_back(&journal->claims.book, before); /* the next one over it will trip it */
    text_free(&text);
}

/* Takes, or refuses, what one entry claims. */
static bool ask_one(struct journal *journal, struct entry *entry)
{
    struct entry_claims *claims = entry->claims;

    claims_state_take(&journal->claims, &claims->record, &claims->verdict);
    if (claims->verdict.replay.data != NULL) { /* a copy: the state goes on without it */
        claims->replay = span_copy(claims->verdict.replay);
        claims->verdict.replay = span_of(claims->replay);
    }
    return claims->verdict.result == CLAIMS_TAKEN;
}

/* Has the intent of this end been refused what it claims, or been lost? Only the writer knows. */
static bool has_no_intent(const struct journal *journal, const struct entry *entry)
{
    const struct record *record = &entry->record;

    return record->if_intended && book_find(&journal->claims.book, HELD_FLIGHT,
                                            unquote(record_kept(record, RECORD_REQUEST_ID))) == NULL;
}

void journal_claims_ask(struct journal *journal, struct entry_list *entries, struct entry_list *refused)
{
    struct entry_list all = STAILQ_HEAD_INITIALIZER(all);
    struct entry *entry;

    for (entry = STAILQ_FIRST(entries); entry != NULL; entry = STAILQ_NEXT(entry, next))
        if (entry->claims != NULL || entry->record.if_intended)
            break;
    if (entry == NULL)
        return;
    STAILQ_CONCAT(&all, entries);
    pthread_mutex_lock(&journal->claims_lock);
    while ((entry = STAILQ_FIRST(&all)) != NULL) {
        STAILQ_REMOVE_HEAD(&all, next);
        if (entry->claims == NULL ? !has_no_intent(journal, entry) : ask_one(journal, entry)) {
            STAILQ_INSERT_TAIL(entries, entry, next);
            continue;
        }
        entry->kept = true; /* nothing is missed */
        STAILQ_INSERT_TAIL(refused, entry, next);
        if (entry->claims != NULL && entry->claims->verdict.result == CLAIM_BREAKER_OPEN)
            trip(journal, entry->claims, entries);
    }
    pthread_mutex_unlock(&journal->claims_lock);
}

/* Takes note of the end of a mutation; its record is durable. */
static void settle(struct journal *journal, const struct entry *entry)
{
    const struct record *record = &entry->record;

    if (record->role < RECORD_ENDS_UNKNOWN)
        return;
    claims_settle(&journal->claims.book, &(struct claims_end){
                                             .request_id = unquote(record_kept(record, RECORD_REQUEST_ID)),
                                             .result = unquote(record_kept(record, RECORD_RESULT)),
                                             .replay = record_kept(record, RECORD_REPLAY),
                                             .status = record->status,
                                             .upstream_status = record->upstream_status,
                                             .found = record->stage == STAGE_RECONCILED,
                                             .sent = record->sent,
                                         });
}

void journal_claims_settle(struct journal *journal, const struct entry_list *entries)
{
    const struct entry *entry;
    int64_t now_us = INT64_MIN;

    pthread_mutex_lock(&journal->claims_lock);
    for (entry = STAILQ_FIRST(entries); entry != NULL; entry = STAILQ_NEXT(entry, next))
        if (entry->claims != NULL && entry->claims->record.time_us > now_us)
            now_us = entry->claims->record.time_us;
    if (now_us != INT64_MIN)
        claims_state_keep(&journal->claims, now_us);
    else
        book_keep(&journal->claims.book);
    for (entry = STAILQ_FIRST(entries); entry != NULL; entry = STAILQ_NEXT(entry, next))
        settle(journal, entry);
    pthread_mutex_unlock(&journal->claims_lock);
}

static void say_lost(const struct entry_list *entries)
{
    struct entry *entry;

    for (entry = STAILQ_FIRST(entries); entry != NULL; entry = STAILQ_NEXT(entry, next))
        if (entry->claims != NULL) {
            entry->claims->verdict = (struct claim_verdict){.result = CLAIMS_LOST};
            entry->kept = false;
        }
}

void journal_claims_give_back(struct journal *journal, const struct entry_list *entries,
                              const struct entry_list *refused)
{
    pthread_mutex_lock(&journal->claims_lock);
    claims_state_take_back(&journal->claims);
    pthread_mutex_unlock(&journal->claims_lock);
    say_lost(entries);
    say_lost(refused);
}

/* ---- the state at a segment's head ---- */

struct stating {
    struct entry_list *list;
    int64_t time_us;
    unsigned parts;
};

static bool add_part(void *arg, struct span part)
{
    struct stating *stating = arg;

    return entry_add(stating->list, &(struct record_fields){.stage = STAGE_STATE,
                                                            .time_us = stating->time_us,
                                                            .part = record_number(++stating->parts),
                                                            .state = part});
}

bool journal_claims_add_state(struct journal *journal, struct entry_list *list)
{
    struct stating stating = {.list = list, .time_us = clock_now_us()};

    pthread_mutex_lock(&journal->claims_lock);
    claims_state_sweep(&journal->claims, stating.time_us);
    bool added = claims_state_write(&journal->claims, add_part, &stating);
    pthread_mutex_unlock(&journal->claims_lock);
    return added;
}

/* ---- for whoever asks ---- */

int64_t journal_claims_since(struct journal *journal, int64_t now_us)
{
    pthread_mutex_lock(&journal->claims_lock);
    int64_t since = claims_state_since(&journal->claims, now_us);
    pthread_mutex_unlock(&journal->claims_lock);
    return since;
}

json_t *journal_approvals(struct journal *journal, int64_t now_us, journal_shown *shown, const void *arg)
{
    pthread_mutex_lock(&journal->claims_lock);
    json_t *views = claims_view_approvals(&journal->claims, now_us, shown, arg);
    pthread_mutex_unlock(&journal->claims_lock);
    for (size_t i = 0; i < json_array_size(views); i++)
        if (!claims_view_finish(json_array_get(views, i))) {
            json_decref(views);
            return NULL;
        }
    return views;
}

json_t *journal_approval(struct journal *journal, struct span id, int64_t now_us)
{
    pthread_mutex_lock(&journal->claims_lock);
    const struct held_approval *approval =
        (const struct held_approval *)book_find(&journal->claims.book, HELD_APPROVAL, id);
    bool live = approval != NULL && approval_is_live(approval, now_us);
    json_t *view = live ? claims_view_whole(approval) : NULL;
    pthread_mutex_unlock(&journal->claims_lock);
    if (claims_view_finish(view))
        return view;
    json_decref(view);
    return NULL;
}

void journal_look(struct journal *journal, const struct claim *claims, size_t count, int64_t now_us,
                  struct arena *arena, struct claim_verdict *verdict)
{
    const struct claims_record record = {.time_us = now_us, .claims = claims, .count = count};

    pthread_mutex_lock(&journal->claims_lock);
    claims_check(&journal->claims.book, &record, verdict);
    if (verdict->replay.data != NULL) {
        verdict->replay = arena_copy(arena, verdict->replay);
        if (verdict->replay.data == NULL)
            verdict->result = CLAIMS_FULL;
    }
    pthread_mutex_unlock(&journal->claims_lock);
}

json_t *journal_approval_for(struct journal *journal, struct span request, int64_t now_us)
{
    pthread_mutex_lock(&journal->claims_lock);
    const struct held_approval *approval = approval_for(&journal->claims.book, request, now_us);
    json_t *view = approval != NULL ? claims_view_approval(approval) : NULL;
    pthread_mutex_unlock(&journal->claims_lock);
    return view;
}

json_t *journal_budgets(struct journal *journal, struct span rule, int64_t now_us)
{
    pthread_mutex_lock(&journal->claims_lock);
    json_t *views = claims_view_budgets(&journal->claims, rule, now_us);
    pthread_mutex_unlock(&journal->claims_lock);
    return views;
}
