/* Claims: what may be used only once, or only so often. The journal's writer is their one point of truth: it
 * checks and reserves them in the same step that gives the record its place in the log, so that of two
 * requests that want the same, whatever their workers, one comes first and the other is refused.
 *
 * All that is known of them follows from the journal's lines alone. An intent names what it claimed (member
 * `claims`); its end settles that:
 *
 *   outcome, sent: false    nothing was written upstream: all is given back, as if it had never been claimed
 *   outcome, any other      the key is done and keeps the answer (429 is none: the API asks for the request
 *                           to be sent again, so the key is free); the twin is free; spent is spent, used is
 * used outcome, unknown        everything stays as it is, until somebody has looked reconciled the key is
 * done without an answer, or stays unknown; the twin is free; nothing is given back
 *
 * At the head of each segment `state` records say what was held when it began, so that a start reads no more
 * than it reads anyway. Every time is that of a record (record_fields.time_us); nothing in here has a clock.
 *
 * An approval's life: `requested` (CLAIM_ASK), `given` once for each person (CLAIM_GIVE), perhaps `withdrawn`
 * (CLAIM_WITHDRAW), `void` (CLAIM_VOID). It is used by the intent that claims it: no record but that says so;
 * and none says that it expired: it does when the time of its `requested` is `seconds` ago.
 *
 * A breaker is a budget with `until_reset`. When it is overrun the writer records `tripped` by itself (stage
 * `breaker`), and it stays shut until CLAIM_RESET. */
#ifndef PROXY_AUDIT_CLAIMS_H
#define PROXY_AUDIT_CLAIMS_H

#include "policies/text.h"

#include <stdint.h>

struct journal;
struct journal_port;
struct json_t;
struct record;

enum claim_kind {
    /* Of an intent, in any number up to CLAIMS_MOST, at most one of each of the first three. They are looked
     * at in this order, whatever the order in which they are given, and reserved all or none. */
    CLAIM_KEY,      /* an idempotency key */
    CLAIM_TWIN,     /* the request itself, so that no second one like it is under way at the same time */
    CLAIM_APPROVAL, /* uses one */
    CLAIM_BUDGET,   /* spends one request of it */

    /* Of a record of stage `approval`; alone. */
    CLAIM_ASK,      /* `requested` */
    CLAIM_GIVE,     /* `given` */
    CLAIM_WITHDRAW, /* `withdrawn`: the person takes back what they gave */
    CLAIM_VOID,     /* `void`: it can never be used any more */

    /* Of a record of stage `breaker`, `result: "reset"`; alone. */
    CLAIM_RESET,

    /* The writer's own, of a record of stage `breaker`, `result: "tripped"`. */
    CLAIM_TRIP,
    CLAIM_KINDS
};

#define CLAIMS_MOST 24  /* in one record */
#define CLAIM_TEXT  320 /* bytes of one of its texts; no secret may be in any of them */

/* What is not said of a kind is ignored. Digests are texts as audit_key_mask makes them. */
struct claim {
    enum claim_kind kind;

    /* KEY: digest of principal and key. TWIN: of principal, operation, organisation, resource and canonical
     * request. BUDGET, RESET: "<rule id>\n<key>"; "break-glass\n<principal>" for that one; RESET takes
     * "<rule id>" alone, too, for all keys of the rule. */
    struct span scope;

    /* KEY, APPROVAL, ASK: digest of the request as TWIN has it. */
    struct span request;

    /* APPROVAL, GIVE, WITHDRAW, VOID: the approval's id. ASK: the id it gets if it is a new one (a random
     * UUID). APPROVAL without one (data NULL): there is none, as far as the caller knows. */
    struct span id;

    /* APPROVAL, ASK: digest of the facts that it is bound to (the pre-image), and the blast radius: for using
     * it the digest must be the same and no number larger than what was approved. CLAIM_NO_RADIUS: there is
     * none. It is a number of its own: larger than all, and equal only to itself. */
    struct span facts;
    uint64_t targets, projects;

    /* APPROVAL, ASK: how many distinct people must agree. For using it, what the policy says now counts. */
    unsigned people;

    /* BUDGET: the sliding window. ASK: how long it can be given and used. Both 1 to CLAIM_SECONDS. */
    unsigned seconds;

    /* BUDGET: at most so many in the window; at least 1, at most CLAIM_SPENT. */
    unsigned requests;
    bool until_reset;

    /* ASK: id of the rule. */
    struct span rule;

    /* ASK, GIVE, WITHDRAW: name of the principal that asks, gives, takes back. KEY: whose it is (data NULL:
     * nobody's, in logs of older gates). */
    struct span principal;
    /* GIVE: whom that counts as. WITHDRAW needs none: what the principal gave goes away. */
    struct span person;

    /* ASK: how many of the principal's may be pending, this one included; 0: CLAIM_PENDING. */
    unsigned limit;

    /* APPROVAL: names of the principals whose agreement still counts (their rights as they are now); NULL:
     * all who gave it. */
    const struct span *entitled;
    size_t entitled_count;
};

#define CLAIM_NO_RADIUS UINT64_MAX
#define CLAIM_PENDING   20
#define CLAIM_SPENT     10000
#define CLAIM_SECONDS   2678400
#define CLAIM_PEOPLE    16    /* may agree to one request; more are refused */
#define CLAIM_KEY_S     86400 /* a key is kept so long from its claim on, and at least while it is in flight */

/* What is kept in all, at most. Nothing that is in force is ever dropped for want of room: the next claim is
 * refused (CLAIMS_FULL). Answers alone give way: a key is then done without one. Of keys, and of the bytes of
 * answers and `requested` records, no principal gets more than it leaves to all others: nobody can take all.
 */
#define CLAIM_KEYS           20000
#define CLAIM_APPROVALS      4000
#define CLAIM_BUDGETS        50000
#define CLAIM_SPENDINGS      500000
#define CLAIM_FLIGHTS        20000               /* intents with claims and without an end */
#define CLAIM_REPLAY_BYTES   ((size_t)8 << 10)   /* of one answer */
#define CLAIM_REPLAYS        ((size_t)8 << 20)   /* of all of them */
#define CLAIM_REQUEST_BYTES  ((size_t)256 << 10) /* of one `requested` record */
#define CLAIM_REQUESTS_BYTES ((size_t)16 << 20)  /* of all of them */

enum claim_result {
    CLAIMS_TAKEN, /* all of them; for CLAIM_ASK: a new approval is pending, `approval` says its id */

    /* What a request that claims may find: */
    CLAIM_KEY_OTHER,      /* the key was used for another request: 422 */
    CLAIM_KEY_IN_FLIGHT,  /* the first with it has no outcome yet: 409 */
    CLAIM_KEY_UNKNOWN,    /* its outcome is unknown: 409 */
    CLAIM_KEY_DONE,       /* `status` and `replay` of the first one are what to answer */
    CLAIM_TWIN_IN_FLIGHT, /* 409 */
    CLAIM_NOT_APPROVED,   /* `approval` is pending and has too few people behind it; "" when there is none */
    CLAIM_APPROVAL_STALE, /* `approval` is for other facts or a smaller radius: record it void, ask anew */
    CLAIM_BUDGET_SPENT,   /* 429, with retry_after_s */
    CLAIM_BREAKER_OPEN,   /* 429; only a reset helps */

    /* CLAIM_ASK: */
    CLAIM_PENDING_ALREADY, /* the same request waits as `approval`: nothing was recorded */
    CLAIM_TOO_MANY,        /* as many of the principal's as may be are pending */

    /* CLAIM_GIVE, CLAIM_WITHDRAW, CLAIM_VOID, CLAIM_RESET: */
    CLAIM_NOT_FOUND,    /* no such approval, or expired, void, used; nothing given by that principal; no such
                           budget */
    CLAIM_GIVEN_BEFORE, /* that person has agreed already: no second time */

    CLAIMS_FULL,    /* no room (memory, or one of the limits above): 503 */
    CLAIMS_INVALID, /* a claim that breaks what is said above */
    CLAIMS_LOST,    /* not refused, but the journal could not make the record durable: 503, nothing is
                       reserved */
    CLAIM_RESULTS
};

/* The answer to a record that claims. Texts are good until the callback returns. */
struct claim_verdict {
    enum claim_result result;
    size_t claim;           /* index of the claim that was refused */
    unsigned retry_after_s; /* until a budget has room again; at least 1 */

    /* Of an approval: */
    char approval[64]; /* its id; "" for none */
    unsigned given, needed;
    int64_t expires_us; /* since the epoch */

    /* Of a key that is done or in use: */
    char request_id[64]; /* of the first request with it */
    unsigned status;     /* 0: not known, since only looking found what became of it; `found` has that */
    char found[16];      /* what looking found ("present", …); "" otherwise */
    struct span replay;  /* the outcome's member of that name, JSON; data NULL: the answer was not kept */
};

/* A word for logs: "taken", "key-other", … */
const char *claim_result_name(enum claim_result result);

/* Appends the canonical JSON for the record's member `claims`. What is not valid marks the text as failed. */
void claims_write(const struct claim *claims, size_t count, struct text *text);

/* `durable`: the record is on disk and all it claims is reserved. Otherwise nothing is, and the verdict says
 * why. It is never NULL. */
typedef void journal_claimed(void *arg, bool durable, const struct claim_verdict *verdict);

/* journal_append for a record that claims: made by record_build with the member `claims` as claims_write has
 * it, for the same claims; its stage and what it claims must fit. They are copied. Refused claims append
 * nothing and count as nothing missed. The record may not be owed. False as journal_append has it, and for
 * want of memory. journal_forget works for `arg`. */
bool journal_append_claiming(struct journal_port *port, struct record *record, const struct claim *claims,
                             size_t count, journal_claimed *done, void *arg);

/* What the writer would say of an intent's claims now; nothing is reserved, and the claim decides. The texts
 * of the verdict live in the arena; CLAIMS_FULL also when memory is out. Any thread. */
struct arena;
void journal_look(struct journal *journal, const struct claim *claims, size_t count, int64_t now_us,
                  struct arena *arena, struct claim_verdict *verdict);

/* What is known now, for listing and for looking before leaping; a claim decides. All are new references;
 * NULL when memory is out (and where said). Any thread; `now_us` is since the epoch.
 *
 * An approval is {"id", "principal", "rule", "request", "facts", "targets", "projects" (absent: no radius),
 * "people", "requested", "expires" (RFC 3339), "used" (a request that used it is under way), "given":
 * [{"principal", "person", "time"}], "record": the `requested` record but for `prev` and `seq`}. */

/* Those that can be given or used, oldest first, as far as shown() says so of who asked for it and where; it
 * is called while the writer waits, so it must not. */
typedef bool journal_shown(const void *arg, struct span principal, struct span organization);
struct json_t *journal_approvals(struct journal *journal, int64_t now_us, journal_shown *shown,
                                 const void *arg);
/* One of them, by its id, or (without "record") by the digest of the request; NULL also when there is none.
 */
struct json_t *journal_approval(struct journal *journal, struct span id, int64_t now_us);
struct json_t *journal_approval_for(struct journal *journal, struct span request, int64_t now_us);

/* Budgets that something was spent of: [{"scope", "seconds", "spent", "tripped" (RFC 3339; absent: it is
 * not)}], by scope. `rule`: only those of that rule; data NULL: all. */
struct json_t *journal_budgets(struct journal *journal, struct span rule, int64_t now_us);

#endif
