/* All that is claimed, as the journal's lines say it. Internal to proxy/audit. Pure: every time is a
 * record's. */
#ifndef PROXY_AUDIT_CLAIMS_STATE_H
#define PROXY_AUDIT_CLAIMS_STATE_H

#include "proxy/audit/claims_internal.h"

/* A zeroed struct is empty. */
struct claims_state {
    struct book book;
    int64_t swept_us; /* what is over was forgotten then */
    bool crowded;     /* something was refused for want of room since */
};

void claims_state_free(struct claims_state *state);

/* Checks and reserves what the record claims. When it is refused, nothing has changed. What is taken stands
 * for the next ones at once; claims_state_keep or claims_state_take_back says later whether it counts. */
void claims_state_take(struct claims_state *state, const struct claims_record *record,
                       struct claim_verdict *verdict);

/* All that was taken is on the disk / is not. */
void claims_state_keep(struct claims_state *state, int64_t now_us);
void claims_state_take_back(struct claims_state *state);

/* Does the end of a mutation matter? (The line then goes to claims_state_read.) */
static inline bool claims_state_awaits(const struct claims_state *state)
{
    return state->book.shelves[HELD_FLIGHT].count > 0;
}

/* Takes note of one line of the log, without its newline; `prev` and `seq` may be missing. What a line claims
 * is done unasked. NULL; or why it cannot be (static): out of memory, or no line that the journal writes.
 * Nothing may be outstanding. */
extern const char claims_no_memory[];
const char *claims_state_read(struct claims_state *state, struct span line);

/* Forgets what is over. Nothing may be outstanding. */
void claims_state_sweep(struct claims_state *state, int64_t now_us);

/* The time of the oldest record that something in force rests on; INT64_MAX without any. */
int64_t claims_state_since(const struct claims_state *state, int64_t now_us);

/* claims_snapshot.c: the state in parts, none much longer than CLAIMS_PART: each is what a `state` record has
 * as its member of that name. The same state makes the same parts. None when nothing is held. False when
 * memory is out; or part() returned false. */
#define CLAIMS_PART ((size_t)64 << 10)
typedef bool claims_part(void *arg, struct span part);
bool claims_state_write(const struct claims_state *state, claims_part *part, void *arg);

/* claims_snapshot.c: adds one of those parts. NULL, or why not (static). */
const char *claims_state_add(struct claims_state *state, const json_t *part);

/* claims_view.c: as claims.h says it. New references; NULL when memory is out, or there is none. */
json_t *claims_view_approvals(const struct claims_state *state, int64_t now_us, journal_shown *shown,
                              const void *arg);                     /* not finished */
json_t *claims_view_approval(const struct held_approval *approval); /* without its record */
json_t *claims_view_whole(const struct held_approval *approval);    /* not finished */
json_t *claims_view_budgets(const struct claims_state *state, struct span rule, int64_t now_us);

/* claims_view.c: a view with its record is made in two steps, since a record may be long: as a text while the
 * state is looked at, and here taken apart, when nobody waits for the state any more. False when memory is
 * out; also without a view. */
bool claims_view_finish(json_t *view);

#endif
