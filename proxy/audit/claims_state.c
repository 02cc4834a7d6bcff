#include "proxy/audit/claims_state.h"

#include "proxy/audit/scan.h"
#include "proxy/audit/when.h"

#include <stdlib.h>

#define SWEEP_US   (60 * CLAIM_SECOND_US)
#define CROWDED_US CLAIM_SECOND_US /* between sweeps while there is no room */

/* A record is judged by its own time, which is that long ago at most. */
#define LATE_US (10 * CLAIM_SECOND_US)

const char claims_no_memory[] = "out of memory";

void claims_state_free(struct claims_state *state)
{
    book_free(&state->book);
    *state = (struct claims_state){0};
}

void claims_state_take(struct claims_state *state, const struct claims_record *record,
                       struct claim_verdict *verdict)
{
    claims_check(&state->book, record, verdict);
    if (verdict->result == CLAIMS_TAKEN && !claims_reserve(&state->book, record))
        *verdict = (struct claim_verdict){.result = CLAIMS_FULL};
    state->crowded |= verdict->result == CLAIMS_FULL;
}

/* ---- what is over ---- */

static void sweep_keys(struct book *book, int64_t now_us)
{
    struct held *next = book_next(book, HELD_KEY, NULL);

    for (struct held *held = next; held != NULL; held = next) {
        next = book_next(book, HELD_KEY, held);
        if (!key_is_live(book, (struct held_key *)held, now_us))
            book_forget(book, held);
    }
}

static void sweep_approvals(struct book *book, int64_t now_us)
{
    struct held *next = book_next(book, HELD_APPROVAL, NULL);

    for (struct held *held = next; held != NULL; held = next) {
        const struct held_approval *approval = (struct held_approval *)held;

        next = book_next(book, HELD_APPROVAL, held);
        if (approval->state == APPROVAL_USED || approval_is_live(approval, now_us))
            continue;
        approval_step(approval, APPROVAL_OVER);
        book_forget(book, held);
    }
}

static int64_t window_start(const struct held_budget *budget, int64_t now_us)
{
    return now_us - budget->seconds * CLAIM_SECOND_US;
}

/* When clocks are put back, what was spent in the future would count until that has come, be it in years. It
 * is as if it was spent now. */
static void bring_back(struct held_budget *budget, int64_t now_us)
{
    for (size_t i = budget->count; i > 0 && budget->times[i - 1] > now_us + LATE_US; i--)
        budget->times[i - 1] = now_us + LATE_US;
}

/* What a late record has yet to be judged with stays. */
static void sweep_budgets(struct book *book, int64_t now_us)
{
    struct held *next = book_next(book, HELD_BUDGET, NULL);

    for (struct held *held = next; held != NULL; held = next) {
        struct held_budget *budget = (struct held_budget *)held;

        next = book_next(book, HELD_BUDGET, held);
        bring_back(budget, now_us);
        size_t live = budget_spent(budget, window_start(budget, now_us) - LATE_US);
        book_forget_spent(book, budget, budget->count - live);
        if (live == 0 && budget->tripped_us == 0)
            book_forget(book, held);
    }
}

void claims_state_sweep(struct claims_state *state, int64_t now_us)
{
    sweep_keys(&state->book, now_us);
    sweep_approvals(&state->book, now_us);
    sweep_budgets(&state->book, now_us);
    state->swept_us = now_us;
    state->crowded = false;
}

static int64_t older(int64_t one, int64_t other)
{
    return one < other ? one : other;
}

int64_t claims_state_since(const struct claims_state *state, int64_t now_us)
{
    const struct book *book = &state->book;
    const struct held *held;
    int64_t since = INT64_MAX;

    for (held = book_next(book, HELD_KEY, NULL); held != NULL; held = book_next(book, HELD_KEY, held))
        if (key_is_live(book, (const struct held_key *)held, now_us))
            since = older(since, ((const struct held_key *)held)->time_us);
    for (held = book_next(book, HELD_FLIGHT, NULL); held != NULL; held = book_next(book, HELD_FLIGHT, held))
        since = older(since, ((const struct held_flight *)held)->time_us);
    for (held = book_next(book, HELD_APPROVAL, NULL); held != NULL;
         held = book_next(book, HELD_APPROVAL, held)) {
        const struct held_approval *approval = (const struct held_approval *)held;

        if (approval->state == APPROVAL_USED || approval_is_live(approval, now_us))
            since = older(since, approval->time_us);
    }
    for (held = book_next(book, HELD_BUDGET, NULL); held != NULL; held = book_next(book, HELD_BUDGET, held)) {
        const struct held_budget *budget = (const struct held_budget *)held;
        size_t live = budget_spent(budget, window_start(budget, now_us));

        if (live > 0)
            since = older(since, budget->times[budget->count - live]);
        if (budget->tripped_us != 0)
            since = older(since, budget->tripped_us);
    }
    return since;
}

void claims_state_keep(struct claims_state *state, int64_t now_us)
{
    int64_t pause = state->crowded ? CROWDED_US : SWEEP_US, since = now_us - state->swept_us;

    book_keep(&state->book);
    if (since >= pause || since < -LATE_US) /* clocks may be put back */
        claims_state_sweep(state, now_us);
}

void claims_state_take_back(struct claims_state *state)
{
    book_take_back(&state->book, 0);
}

/* ---- lines ---- */

/* The line without the writer's members: what its maker knew. */
static void strip(const struct scan *scan, struct text *text)
{
    text_add_string(text, "{");
    for (size_t i = 0; i < scan->count; i++) {
        const struct scan_member *member = &scan->members[i];

        if (span_is(member->name, "prev") || span_is(member->name, "seq"))
            continue;
        text_add_string(text, text->length > 1 ? ",\"" : "\"");
        text_add(text, member->name.data, member->name.length);
        text_add_string(text, "\":");
        text_add(text, member->value.data, member->value.length);
    }
    text_add_string(text, "}");
}

/* What a line claims, it got. */
static const char *read_claims(struct claims_state *state, const struct scan *scan, struct span value)
{
    static const char foreign[] = "it claims what the journal does not know";
    struct claim claims[CLAIMS_MOST];
    struct claims_record record = {.request_id = scan_text(scan_find(scan, "request_id")), .claims = claims};
    struct text text = {0};
    json_t *array = json_loadb(value.data, value.length, 0, NULL);
    const char *wrong = foreign;

    if (claims_read(array, claims, &record.count) &&
        claims_valid(claims, record.count, scan_text(scan_find(scan, "stage"))) &&
        when_read(scan_text(scan_find(scan, "time")), 0, &record.time_us) &&
        (record.request_id.data != NULL || claims[0].kind > CLAIM_BUDGET)) {
        strip(scan, &text);
        record.text = (struct span){text.data, text.length};
        record.written = value;
        wrong = !text.failed && claims_reserve(&state->book, &record) ? NULL : claims_no_memory;
        claims_state_keep(state, record.time_us);
    }
    text_free(&text);
    json_decref(array);
    return wrong;
}

static const char *read_part(struct claims_state *state, const struct scan *scan, struct span value)
{
    uint64_t part;

    if (!scan_number(scan_find(scan, "part"), &part))
        return "a part of the state without its number";
    if (part == 1)
        claims_state_free(state);
    json_t *json = json_loadb(value.data, value.length, 0, NULL);
    const char *wrong = json != NULL ? claims_state_add(state, json) : claims_no_memory;
    json_decref(json);
    return wrong;
}

static unsigned read_status(const struct scan *scan, const char *name)
{
    uint64_t status;

    return scan_number(scan_find(scan, name), &status) && status <= UINT32_MAX ? (unsigned)status : 0;
}

static void read_end(struct claims_state *state, const struct scan *scan, bool found)
{
    claims_settle(&state->book, &(struct claims_end){
                                    .request_id = scan_text(scan_find(scan, "request_id")),
                                    .result = scan_text(scan_find(scan, "result")),
                                    .replay = scan_find(scan, "replay"),
                                    .status = read_status(scan, "status"),
                                    .upstream_status = read_status(scan, "upstream_status"),
                                    .found = found,
                                    .sent = !span_is(scan_find(scan, "sent"), "false"),
                                });
}

static bool holds(struct span line, const char *bytes)
{
    return memmem(line.data, line.length, bytes, strlen(bytes)) != NULL;
}

const char *claims_state_read(struct claims_state *state, struct span line)
{
    struct scan scan;
    struct span value;

    if (!claims_state_awaits(state) && !holds(line, "\"claims\":") && !holds(line, "\"state\""))
        return NULL;
    if (!scan_line(line, &scan))
        return NULL; /* no record at all */
    struct span stage = scan_text(scan_find(&scan, "stage"));
    if (span_is(stage, "state") && (value = scan_find(&scan, "state")).data != NULL)
        return read_part(state, &scan, value);
    if (span_is(stage, "outcome") || span_is(stage, "reconciled")) {
        read_end(state, &scan, span_is(stage, "reconciled"));
        return NULL;
    }
    value = scan_find(&scan, "claims");
    return value.data != NULL ? read_claims(state, &scan, value) : NULL;
}
