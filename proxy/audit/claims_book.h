/* What is held, each under its name, and what was changed since the last step that counts: all of it can be
 * taken back. Internal to the files claims*.c. Pure. */
#ifndef PROXY_AUDIT_CLAIMS_BOOK_H
#define PROXY_AUDIT_CLAIMS_BOOK_H

#include "proxy/audit/approval_states.h"
#include "proxy/audit/claims.h"

enum held_kind { HELD_KEY, HELD_TWIN, HELD_APPROVAL, HELD_BUDGET, HELD_FLIGHT, HELD_KINDS };

/* The beginning of each of the structs below. */
struct held {
    struct held *next; /* in its bucket */
    uint64_t hash;
    enum held_kind kind;
    char *name; /* a key's or twin's digest, an approval's id, a budget's scope, a flight's request id */
};

enum key_state { KEY_IN_FLIGHT, KEY_UNKNOWN, KEY_DONE };

struct held_key {
    struct held held;
    char *request;
    char *request_id;
    char *principal; /* whose it is; NULL: that was not said */
    int64_t time_us;
    enum key_state state;
    unsigned status;
    char found[16];
    char *replay; /* NULL: not kept */
};

struct held_twin {
    struct held held;
    int64_t time_us;
};

struct agreement {
    char *principal, *person;
    int64_t time_us;
};

#define APPROVAL_STATE(state, name) APPROVAL_##state,
enum approval_state { APPROVAL_STATE_TABLE(APPROVAL_STATE) APPROVAL_STATES };
#undef APPROVAL_STATE

struct held_approval {
    struct held held;
    char *request, *facts, *rule, *principal;
    uint64_t targets, projects;
    unsigned people;
    int64_t time_us, expires_us;
    enum approval_state state;
    struct agreement given[CLAIM_PEOPLE];
    size_t given_count;
    char *record;       /* but for `prev` and `seq` */
    char *organization; /* of the record, so that nobody has to read that to pass it over */
};

struct held_budget {
    struct held held;
    unsigned seconds;   /* the longest window that was ever asked for */
    int64_t tripped_us; /* 0: it is not */
    int64_t *times;     /* of what was spent; rising */
    size_t count, room;
};

/* What its end has to look for: one thing that an intent claimed. */
struct flight_claim {
    enum claim_kind kind;
    struct span name; /* of what is held: a scope, an approval's id */
};

/* An intent that claims and has no end. */
struct held_flight {
    struct held held;
    int64_t time_us;
    char *claims;              /* as its record has them */
    struct flight_claim *list; /* the same, in one piece of memory with the names */
    size_t count;
};

/* Sets the list of one that has none. False when memory is out. */
bool flight_list(struct held_flight *flight, const struct claim *claims, size_t count);

/* Principals whose names fall together are counted as one. */
#define BOOK_OWNERS 1024 /* a power of two */

struct book {
    struct book_shelf {
        struct held **buckets;
        size_t room, count; /* room: a power of two, or 0 */
    } shelves[HELD_KINDS];
    size_t spendings, replays, requests; /* bytes of the last two */
    struct {
        uint32_t keys, replays; /* bytes of the last */
    } owners[BOOK_OWNERS];

    struct book_change {
        struct held *before, *after; /* NULL: was not, is not any more */
        struct held_budget *budget;  /* else: this was spent of it */
        int64_t time_us;
        unsigned seconds; /* its window before that */
    } * changes;
    size_t change_count, change_room;
};

/* A zeroed book is empty. */
void book_free(struct book *book);

/* The one of that name; NULL without one. */
struct held *book_find(const struct book *book, enum held_kind kind, struct span name);

/* All of a kind, in any order: begins with NULL; NULL behind the last. */
struct held *book_next(const struct book *book, enum held_kind kind, const struct held *held);

/* A zeroed struct of the kind with that name. NULL when memory is out. */
struct held *book_make(enum held_kind kind, struct span name);
/* A copy of one, that can be changed and put in its place. NULL when memory is out. */
struct held *book_copy(const struct held *held);
/* Notes copies of the record by which it was asked for, and of where that was; once. False when memory is
 * out. */
bool approval_set_record(struct held_approval *approval, struct span record);
void book_drop(struct held *held); /* NULL allowed; one that is in no book */

/* Puts `after` in the place of `before`; either may be NULL. `after` is the book's then. False when memory is
 * out: `after` is dropped, and nothing has changed. */
bool book_change(struct book *book, struct held *before, struct held *after);

/* Spends one of the budget, which is in the book. False when memory is out. */
bool book_spend(struct book *book, struct held_budget *budget, int64_t time_us, unsigned seconds);

/* Which of `owners` counts what is the principal's, and perhaps another's whose name falls together with it.
 */
size_t book_owner(struct span principal);

/* How many of its spendings are younger than that; they are the last ones. */
size_t budget_spent(const struct held_budget *budget, int64_t since_us);

/* All changes behind the first `count` are taken back; the newest first. */
void book_take_back(struct book *book, size_t count);

/* All changes count. */
void book_keep(struct book *book);

/* With no change outstanding: forgets for good. */
void book_forget(struct book *book, struct held *held);
void book_forget_spent(struct book *book, struct held_budget *budget, size_t count); /* the oldest */
bool book_give_back(struct book *book, struct held_budget *budget, int64_t time_us);

#endif
