#include "proxy/audit/claims_book.h"

#include "policies/table.h"
#include "proxy/audit/scan.h"

#include <stdlib.h>

#define ROOM_FIRST 64

static const size_t sizes[HELD_KINDS] = {
    [HELD_KEY] = sizeof(struct held_key),           [HELD_TWIN] = sizeof(struct held_twin),
    [HELD_APPROVAL] = sizeof(struct held_approval), [HELD_BUDGET] = sizeof(struct held_budget),
    [HELD_FLIGHT] = sizeof(struct held_flight),
};

/* ---- making and dropping ---- */

/* The texts that the struct owns, as places; the last is NULL. */
#define TEXTS 8
static void texts_of(struct held *held, char **texts[static TEXTS])
{
    struct held_key *key = (struct held_key *)held;
    struct held_approval *approval = (struct held_approval *)held;
    size_t count = 0;

    texts[count++] = &held->name;
    switch (held->kind) {
    case HELD_KEY:
        texts[count++] = &key->request;
        texts[count++] = &key->request_id;
        texts[count++] = &key->replay;
        texts[count++] = &key->principal;
        break;
    case HELD_APPROVAL:
        texts[count++] = &approval->request;
        texts[count++] = &approval->facts;
        texts[count++] = &approval->rule;
        texts[count++] = &approval->principal;
        texts[count++] = &approval->record;
        texts[count++] = &approval->organization;
        break;
    case HELD_FLIGHT:
        texts[count++] = &((struct held_flight *)held)->claims;
        break;
    case HELD_TWIN:
    case HELD_BUDGET:
    case HELD_KINDS:
        break;
    }
    texts[count] = NULL;
}

struct held *book_make(enum held_kind kind, struct span name)
{
    struct held *held = calloc(1, sizes[kind]);

    if (held == NULL)
        return NULL;
    held->kind = kind;
    held->hash = hash_bytes(name);
    held->name = span_copy(name);
    if (held->name != NULL)
        return held;
    free(held);
    return NULL;
}

/* Sets the list to copies of these. */
static bool set_list(struct held_flight *flight, const struct flight_claim *claims, size_t count)
{
    size_t bytes = count * sizeof *claims;

    for (size_t i = 0; i < count; i++)
        bytes += claims[i].name.length;
    struct flight_claim *list = malloc(bytes);
    if (list == NULL)
        return false;
    char *names = (char *)&list[count];
    for (size_t i = 0; i < count; i++) {
        list[i] = (struct flight_claim){claims[i].kind, {names, claims[i].name.length}};
        names = mempcpy(names, claims[i].name.data, claims[i].name.length);
    }
    flight->list = list;
    flight->count = count;
    return true;
}

bool flight_list(struct held_flight *flight, const struct claim *claims, size_t count)
{
    struct flight_claim list[CLAIMS_MOST];

    for (size_t i = 0; i < count; i++)
        list[i] = (struct flight_claim){claims[i].kind,
                                        claims[i].kind == CLAIM_APPROVAL ? claims[i].id : claims[i].scope};
    return set_list(flight, list, count);
}

/* The lists that a copy must not share. False when memory is out; what is copied by then is the copy's. */
static bool copy_lists(struct held *copy, const struct held *held)
{
    struct held_approval *approval = (struct held_approval *)copy;
    struct held_budget *budget = (struct held_budget *)copy;
    const struct held_flight *flight = (const struct held_flight *)held;
    bool copied = true;

    if (copy->kind == HELD_APPROVAL)
        for (size_t i = 0; i < approval->given_count; i++) {
            const struct agreement *given = &((const struct held_approval *)held)->given[i];

            approval->given[i].principal = strdup(given->principal);
            approval->given[i].person = strdup(given->person);
            copied &= approval->given[i].principal != NULL && approval->given[i].person != NULL;
        }
    if (copy->kind == HELD_BUDGET && budget->count > 0) {
        budget->room = budget->count;
        budget->times = malloc(budget->count * sizeof *budget->times);
        copied = budget->times != NULL;
        if (copied)
            memcpy(budget->times, ((const struct held_budget *)held)->times,
                   budget->count * sizeof *budget->times);
    }
    if (copy->kind == HELD_FLIGHT) {
        ((struct held_flight *)copy)->list = NULL;
        copied = set_list((struct held_flight *)copy, flight->list, flight->count);
    }
    return copied;
}

struct held *book_copy(const struct held *held)
{
    struct held *copy = malloc(sizes[held->kind]);
    char **texts[TEXTS];

    if (copy == NULL)
        return NULL;
    memcpy(copy, held, sizes[held->kind]);
    copy->next = NULL;
    texts_of(copy, texts);
    bool copied = true;
    for (size_t i = 0; texts[i] != NULL; i++)
        if (*texts[i] != NULL) {
            *texts[i] = strdup(*texts[i]);
            copied &= *texts[i] != NULL;
        }
    copied &= copy_lists(copy, held);
    if (copied)
        return copy;
    book_drop(copy);
    return NULL;
}

bool approval_set_record(struct held_approval *approval, struct span record)
{
    struct scan scan;

    (void)scan_line(record, &scan);
    struct span organization = scan_text(scan_find(&scan, "organization"));
    approval->record = span_copy(record);
    approval->organization = span_copy(organization.data != NULL ? organization : (struct span){"", 0});
    return approval->record != NULL && approval->organization != NULL;
}

void book_drop(struct held *held)
{
    char **texts[TEXTS];

    if (held == NULL)
        return;
    texts_of(held, texts);
    for (size_t i = 0; texts[i] != NULL; i++)
        free(*texts[i]);
    if (held->kind == HELD_APPROVAL)
        for (size_t i = 0; i < ((struct held_approval *)held)->given_count; i++) {
            free(((struct held_approval *)held)->given[i].principal);
            free(((struct held_approval *)held)->given[i].person);
        }
    if (held->kind == HELD_BUDGET)
        free(((struct held_budget *)held)->times);
    if (held->kind == HELD_FLIGHT)
        free(((struct held_flight *)held)->list);
    free(held);
}

/* ---- shelves ---- */

static bool make_room(struct book_shelf *shelf)
{
    size_t room = shelf->room > 0 ? shelf->room * 2 : ROOM_FIRST;

    if (shelf->count < shelf->room)
        return true;
    struct held **buckets = calloc(room, sizeof(struct held *));
    if (buckets == NULL)
        return shelf->room > 0; /* longer chains do it, too */
    for (size_t i = 0; i < shelf->room; i++)
        for (struct held *held = shelf->buckets[i], *next; held != NULL; held = next) {
            struct held **bucket = &buckets[held->hash & (room - 1)];

            next = held->next;
            held->next = *bucket;
            *bucket = held;
        }
    free(shelf->buckets);
    shelf->buckets = buckets;
    shelf->room = room;
    return true;
}

size_t book_owner(struct span principal)
{
    return (size_t)hash_bytes(principal) & (BOOK_OWNERS - 1);
}

static void account_owner(struct book *book, const struct held_key *key, size_t replays, bool in)
{
    size_t owner = book_owner(span_of(key->principal));

    book->owners[owner].keys += in ? 1u : -1u;
    book->owners[owner].replays += in ? (uint32_t)replays : -(uint32_t)replays;
}

/* Counts what of the limits it takes, or no longer does. */
static void account(struct book *book, const struct held *held, bool in)
{
    const struct held_key *key = (const struct held_key *)held;
    size_t spendings = 0, replays = 0, requests = 0;

    if (held->kind == HELD_BUDGET)
        spendings = ((const struct held_budget *)held)->count;
    else if (held->kind == HELD_KEY && key->replay != NULL)
        replays = strlen(key->replay);
    else if (held->kind == HELD_APPROVAL)
        requests = strlen(((const struct held_approval *)held)->record);
    if (held->kind == HELD_KEY && key->principal != NULL)
        account_owner(book, key, replays, in);
    book->spendings = in ? book->spendings + spendings : book->spendings - spendings;
    book->replays = in ? book->replays + replays : book->replays - replays;
    book->requests = in ? book->requests + requests : book->requests - requests;
}

/* There must be room. */
static void put(struct book *book, struct held *held)
{
    struct book_shelf *shelf = &book->shelves[held->kind];
    struct held **bucket = &shelf->buckets[held->hash & (shelf->room - 1)];

    held->next = *bucket;
    *bucket = held;
    shelf->count++;
    account(book, held, true);
}

static void take(struct book *book, struct held *held)
{
    struct book_shelf *shelf = &book->shelves[held->kind];
    struct held **place = &shelf->buckets[held->hash & (shelf->room - 1)];

    while (*place != held)
        place = &(*place)->next;
    *place = held->next;
    shelf->count--;
    account(book, held, false);
}

struct held *book_find(const struct book *book, enum held_kind kind, struct span name)
{
    const struct book_shelf *shelf = &book->shelves[kind];
    uint64_t hash = hash_bytes(name);

    if (shelf->count == 0)
        return NULL;
    for (struct held *held = shelf->buckets[hash & (shelf->room - 1)]; held != NULL; held = held->next)
        if (held->hash == hash && span_is(name, held->name))
            return held;
    return NULL;
}

struct held *book_next(const struct book *book, enum held_kind kind, const struct held *held)
{
    const struct book_shelf *shelf = &book->shelves[kind];
    size_t at = 0;

    if (held != NULL && held->next != NULL)
        return held->next;
    if (held != NULL)
        at = (held->hash & (shelf->room - 1)) + 1;
    for (; at < shelf->room; at++)
        if (shelf->buckets[at] != NULL)
            return shelf->buckets[at];
    return NULL;
}

/* ---- budgets ---- */

size_t budget_spent(const struct held_budget *budget, int64_t since_us)
{
    size_t low = 0, high = budget->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (budget->times[middle] > since_us)
            high = middle;
        else
            low = middle + 1;
    }
    return budget->count - low;
}

static bool add_time(struct held_budget *budget, int64_t time_us)
{
    size_t at = budget->count;

    if (budget->count == budget->room) {
        size_t room = budget->room > 0 ? budget->room * 2 : 4;
        int64_t *times = realloc(budget->times, room * sizeof *times);

        if (times == NULL)
            return false;
        budget->times = times;
        budget->room = room;
    }
    for (; at > 0 && budget->times[at - 1] > time_us; at--) /* clocks of several workers: nearly in order */
        budget->times[at] = budget->times[at - 1];
    budget->times[at] = time_us;
    budget->count++;
    return true;
}

bool book_give_back(struct book *book, struct held_budget *budget, int64_t time_us)
{
    size_t behind = budget->count - budget_spent(budget, time_us);

    if (behind == 0 || budget->times[behind - 1] != time_us)
        return false;
    memmove(&budget->times[behind - 1], &budget->times[behind],
            (budget->count - behind) * sizeof *budget->times);
    budget->count--;
    book->spendings--;
    return true;
}

void book_forget_spent(struct book *book, struct held_budget *budget, size_t count)
{
    if (count == 0)
        return;
    memmove(budget->times, &budget->times[count], (budget->count - count) * sizeof *budget->times);
    budget->count -= count;
    book->spendings -= count;
}

/* ---- changes ---- */

static bool expect_change(struct book *book)
{
    size_t room = book->change_room > 0 ? book->change_room * 2 : ROOM_FIRST;
    struct book_change *changes;

    if (book->change_count < book->change_room)
        return true;
    changes = realloc(book->changes, room * sizeof *changes);
    if (changes == NULL)
        return false;
    book->changes = changes;
    book->change_room = room;
    return true;
}

bool book_change(struct book *book, struct held *before, struct held *after)
{
    if (!expect_change(book) || (after != NULL && !make_room(&book->shelves[after->kind]))) {
        book_drop(after);
        return false;
    }
    if (before != NULL)
        take(book, before);
    if (after != NULL)
        put(book, after);
    book->changes[book->change_count++] = (struct book_change){.before = before, .after = after};
    return true;
}

bool book_spend(struct book *book, struct held_budget *budget, int64_t time_us, unsigned seconds)
{
    if (!expect_change(book) || !add_time(budget, time_us))
        return false;
    book->changes[book->change_count++] =
        (struct book_change){.budget = budget, .time_us = time_us, .seconds = budget->seconds};
    book->spendings++;
    if (seconds > budget->seconds)
        budget->seconds = seconds;
    return true;
}

void book_take_back(struct book *book, size_t count)
{
    while (book->change_count > count) {
        struct book_change *change = &book->changes[--book->change_count];

        if (change->budget != NULL) {
            (void)book_give_back(book, change->budget, change->time_us);
            change->budget->seconds = change->seconds;
            continue;
        }
        if (change->after != NULL) {
            take(book, change->after);
            book_drop(change->after);
        }
        if (change->before != NULL)
            put(book, change->before); /* there was room for it */
    }
}

void book_keep(struct book *book)
{
    for (size_t i = 0; i < book->change_count; i++)
        book_drop(book->changes[i].before);
    book->change_count = 0;
}

void book_forget(struct book *book, struct held *held)
{
    take(book, held);
    book_drop(held);
}

void book_free(struct book *book)
{
    book_keep(book);
    for (enum held_kind kind = 0; kind < HELD_KINDS; kind++) {
        struct held *held;

        while ((held = book_next(book, kind, NULL)) != NULL)
            book_forget(book, held);
        free(book->shelves[kind].buckets);
    }
    free(book->changes);
    *book = (struct book){0};
}
