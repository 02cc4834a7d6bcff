/* What is claimed, against a model that knows nothing but the history: every answer is found anew by reading
 * all of it. */
#include "proxy/audit/claims_state.h"
#include "proxy/audit/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)
#define EVENTS 600
#define ROUNDS 60
#define ROOM   64 /* for a name */
#define START  (INT64_C(1790000000) * SECOND)

enum event_kind { INTENT, END, ASK, GIVE, WITHDRAW, VOID, RESET, TRIP };
enum end { OPEN, UNKNOWN, NOT_SENT, DONE, FOUND_PRESENT, FOUND_UNKNOWN };

#define NONE     (-1)
#define WINDOW_S 20
#define ASK_S    60
#define MOST     3

/* Small numbers stand for all names; NONE: it claims none. */
struct event {
    enum event_kind kind;
    int64_t time_us;
    int request; /* of an intent: which one; of an end: whose */
    int key, same, twin, approval, budgets[2];
    enum end end;
    int principal, person, facts, targets;
};

struct history {
    struct event events[EVENTS];
    int count;
};

/* ---- the model ---- */

static enum end end_of(const struct history *history, int request)
{
    enum end end = OPEN;

    for (int i = 0; i < history->count; i++)
        if (history->events[i].kind == END && history->events[i].request == request)
            end = history->events[i].end;
    return end;
}

static bool is_open(const struct history *history, int request)
{
    return end_of(history, request) == OPEN || end_of(history, request) == UNKNOWN;
}

static enum claim_result model_key(const struct history *history, int key, int same, int64_t now_us)
{
    for (int i = 0; i < history->count; i++) {
        const struct event *event = &history->events[i];

        if (event->kind != INTENT || event->key != key || end_of(history, event->request) == NOT_SENT ||
            (event->time_us + CLAIM_KEY_S * SECOND <= now_us && !is_open(history, event->request)))
            continue;
        if (event->same != same)
            return CLAIM_KEY_OTHER;
        switch (end_of(history, event->request)) {
        case OPEN:
            return CLAIM_KEY_IN_FLIGHT;
        case UNKNOWN:
        case FOUND_UNKNOWN:
            return CLAIM_KEY_UNKNOWN;
        default:
            return CLAIM_KEY_DONE;
        }
    }
    return CLAIMS_TAKEN;
}

static enum claim_result model_twin(const struct history *history, int twin)
{
    for (int i = 0; i < history->count; i++)
        if (history->events[i].kind == INTENT && history->events[i].twin == twin &&
            is_open(history, history->events[i].request))
            return CLAIM_TWIN_IN_FLIGHT;
    return CLAIMS_TAKEN;
}

static const struct event *model_asked(const struct history *history, int approval)
{
    for (int i = 0; i < history->count; i++)
        if (history->events[i].kind == ASK && history->events[i].approval == approval)
            return &history->events[i];
    return NULL;
}

static bool model_live(const struct history *history, int approval, int64_t now_us)
{
    const struct event *asked = model_asked(history, approval);

    if (asked == NULL || asked->time_us + ASK_S * SECOND <= now_us)
        return false;
    for (int i = 0; i < history->count; i++) {
        const struct event *event = &history->events[i];

        if (event->approval == approval &&
            (event->kind == VOID || (event->kind == INTENT && end_of(history, event->request) != NOT_SENT)))
            return false;
    }
    return true;
}

/* Does what that principal gave still stand? */
static bool model_stands(const struct history *history, int approval, int principal, int *person)
{
    bool stands = false;

    for (int i = 0; i < history->count; i++) {
        const struct event *event = &history->events[i];

        if (event->approval != approval || event->principal != principal)
            continue;
        if (event->kind == GIVE)
            *person = event->person;
        stands = event->kind == GIVE || (stands && event->kind != WITHDRAW);
    }
    return stands;
}

static unsigned model_people(const struct history *history, int approval)
{
    unsigned people = 0;
    int person = NONE;

    for (int principal = 0; principal < 4; principal++) /* nobody agrees twice as two principals */
        people += model_stands(history, approval, principal, &person);
    return people;
}

static size_t model_spent(const struct history *history, int budget, int64_t now_us, bool *tripped)
{
    size_t spent = 0;

    *tripped = false;
    for (int i = 0; i < history->count; i++) {
        const struct event *event = &history->events[i];

        if (event->kind == RESET && event->budgets[0] == budget) {
            spent = 0;
            *tripped = false;
        }
        *tripped |= event->kind == TRIP && event->budgets[0] == budget;
        if (event->kind == INTENT && (event->budgets[0] == budget || event->budgets[1] == budget) &&
            end_of(history, event->request) != NOT_SENT && event->time_us > now_us - WINDOW_S * SECOND)
            spent++;
    }
    return spent;
}

static enum claim_result model_budget(const struct history *history, int budget, int64_t now_us)
{
    bool tripped;
    size_t spent = model_spent(history, budget, now_us, &tripped);

    if (budget == 1 && (tripped || spent >= MOST)) /* the breaker */
        return CLAIM_BREAKER_OPEN;
    return spent >= MOST ? CLAIM_BUDGET_SPENT : CLAIMS_TAKEN;
}

/* The approval that waits for a request; NONE. */
static int model_pending(const struct history *history, int same, int64_t now_us)
{
    for (int i = 0; i < history->count; i++)
        if (history->events[i].kind == ASK && history->events[i].same == same &&
            model_live(history, history->events[i].approval, now_us))
            return history->events[i].approval;
    return NONE;
}

static enum claim_result model_approval(const struct history *history, const struct event *event)
{
    const struct event *asked = model_asked(history, event->approval);

    if (!model_live(history, event->approval, event->time_us) || asked->same != event->same)
        return CLAIM_NOT_APPROVED;
    if (asked->facts != event->facts || asked->targets < event->targets)
        return CLAIM_APPROVAL_STALE;
    return model_people(history, event->approval) < 2 ? CLAIM_NOT_APPROVED : CLAIMS_TAKEN;
}

static enum claim_result model_intent(const struct history *history, const struct event *event)
{
    enum claim_result result = CLAIMS_TAKEN;

    if (event->key != NONE)
        result = model_key(history, event->key, event->same, event->time_us);
    if (result == CLAIMS_TAKEN && event->twin != NONE)
        result = model_twin(history, event->twin);
    if (result == CLAIMS_TAKEN && event->approval != NONE)
        result = model_approval(history, event);
    for (int i = 0; i < 2 && result == CLAIMS_TAKEN; i++)
        if (event->budgets[i] != NONE)
            result = model_budget(history, event->budgets[i], event->time_us);
    return result;
}

static enum claim_result model_ask(const struct history *history, const struct event *event)
{
    int pending = model_pending(history, event->same, event->time_us);
    int waiting = 0;

    if (pending != NONE) {
        const struct event *asked = model_asked(history, pending);

        return asked->facts == event->facts && asked->targets >= event->targets ? CLAIM_PENDING_ALREADY
                                                                                : CLAIM_APPROVAL_STALE;
    }
    for (int i = 0; i < history->count; i++)
        waiting += history->events[i].kind == ASK && history->events[i].principal == event->principal &&
                   model_live(history, history->events[i].approval, event->time_us);
    return waiting >= 2 ? CLAIM_TOO_MANY : CLAIMS_TAKEN;
}

static enum claim_result model(const struct history *history, const struct event *event)
{
    bool live = model_live(history, event->approval, event->time_us), tripped;
    int person = NONE;

    switch (event->kind) {
    case INTENT:
        return model_intent(history, event);
    case ASK:
        return model_ask(history, event);
    case GIVE:
        if (!live)
            return CLAIM_NOT_FOUND;
        for (int principal = 0; principal < 4; principal++)
            if (model_stands(history, event->approval, principal, &person) &&
                (principal == event->principal || person == event->person))
                return CLAIM_GIVEN_BEFORE;
        return CLAIMS_TAKEN;
    case WITHDRAW:
        return live && model_stands(history, event->approval, event->principal, &person) ? CLAIMS_TAKEN
                                                                                         : CLAIM_NOT_FOUND;
    case VOID:
        return live ? CLAIMS_TAKEN : CLAIM_NOT_FOUND;
    case RESET:
        return model_spent(history, event->budgets[0], event->time_us, &tripped) > 0 || tripped
                   ? CLAIMS_TAKEN
                   : CLAIM_NOT_FOUND;
    default:
        return CLAIMS_TAKEN;
    }
}

/* ---- events as records ---- */

struct texts {
    char texts[16][64];
    size_t count;
};

__attribute__((format(printf, 2, 3))) static struct span say(struct texts *texts, const char *format, ...)
{
    char *text = texts->texts[texts->count++];
    va_list arguments;

    assert_true(texts->count <= 16);
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof *texts->texts, format, arguments);
    va_end(arguments);
    return span_of(text);
}

static size_t claims_of(const struct event *event, struct texts *texts, struct claim *claims)
{
    static const enum claim_kind kinds[] = {
        [ASK] = CLAIM_ASK,   [GIVE] = CLAIM_GIVE,   [WITHDRAW] = CLAIM_WITHDRAW,
        [VOID] = CLAIM_VOID, [RESET] = CLAIM_RESET, [TRIP] = CLAIM_TRIP};
    struct claim approval = {.kind = CLAIM_APPROVAL,
                             .id = say(texts, "approval-%d", event->approval),
                             .request = say(texts, "request-%d", event->same),
                             .facts = say(texts, "facts-%d", event->facts),
                             .targets = (uint64_t)event->targets,
                             .projects = CLAIM_NO_RADIUS,
                             .people = 2,
                             .seconds = ASK_S,
                             .limit = 2,
                             .rule = SPAN("two-people"),
                             .principal = say(texts, "principal-%d", event->principal),
                             .person = say(texts, "person-%d", event->person)};
    size_t count = 0;

    approval.projects = event->targets == 0 ? CLAIM_NO_RADIUS : 7;
    approval.targets = event->targets == 0 ? CLAIM_NO_RADIUS : (uint64_t)event->targets;
    if (event->kind != INTENT) {
        approval.kind = kinds[event->kind];
        approval.scope = say(texts, "rule-%d\nall", event->budgets[0]);
        approval.seconds = event->kind == TRIP ? WINDOW_S : ASK_S;
        claims[0] = approval;
        return 1;
    }
    for (int i = 0; i < 2; i++)
        if (event->budgets[i] != NONE)
            claims[count++] = (struct claim){.kind = CLAIM_BUDGET,
                                             .scope = say(texts, "rule-%d\nall", event->budgets[i]),
                                             .requests = MOST,
                                             .seconds = WINDOW_S,
                                             .until_reset = event->budgets[i] == 1};
    if (event->approval != NONE)
        claims[count++] = approval;
    if (event->twin != NONE)
        claims[count++] = (struct claim){.kind = CLAIM_TWIN, .scope = say(texts, "twin-%d", event->twin)};
    if (event->key != NONE)
        claims[count++] = (struct claim){
            .kind = CLAIM_KEY, .scope = say(texts, "key-%d", event->key), .request = approval.request};
    return count;
}

/* The event as a line of the log; to be freed with record_free. */
static struct record line_of(const struct event *event, struct texts *texts, const struct claim *claims,
                             size_t count)
{
    static const enum record_stage stages[] = {
        [INTENT] = STAGE_INTENT,     [ASK] = STAGE_APPROVAL,  [GIVE] = STAGE_APPROVAL,
        [WITHDRAW] = STAGE_APPROVAL, [VOID] = STAGE_APPROVAL, [RESET] = STAGE_BREAKER,
        [TRIP] = STAGE_BREAKER};
    struct record record = {0};
    struct record_fields fields = {.time_us = event->time_us,
                                   .request_id = say(texts, "id-%d", event->request)};
    struct text text = {0};

    if (event->kind != END) {
        fields.stage = stages[event->kind];
        claims_write(claims, count, &text);
        assert_false(text.failed);
        fields.claims = (struct span){text.data, text.length};
    } else {
        fields.stage = event->end >= FOUND_PRESENT ? STAGE_RECONCILED : STAGE_OUTCOME;
        fields.sent = event->end == NOT_SENT ? RECORD_FALSE : RECORD_TRUE;
        if (event->end == DONE) {
            fields.status = record_number(201);
            fields.replay = SPAN("{\"body\":\"{\\\"data\\\":1}\"}");
        } else if (event->end == FOUND_PRESENT) {
            fields.result = SPAN("present");
        } else {
            fields.result = event->end == NOT_SENT ? SPAN("not-sent") : SPAN("unknown");
        }
    }
    assert_true(record_build(&fields, &record));
    text_free(&text);
    return record;
}

static struct span line_text(const struct record *record)
{
    return (struct span){record->text.data, record->text.length - 1};
}

/* ---- the whole state as one text ---- */

static bool on_part(void *arg, struct span part)
{
    text_add(arg, part.data, part.length);
    text_add(arg, "\n", 1);
    return true;
}

static struct text dump(struct claims_state *state, int64_t now_us)
{
    struct text text = {0};

    claims_state_sweep(state, now_us);
    assert_true(claims_state_write(state, on_part, &text));
    assert_false(text.failed);
    return text;
}

static void assert_same(struct claims_state *one, struct claims_state *other, int64_t now_us)
{
    struct text left = dump(one, now_us), right = dump(other, now_us);

    assert_string_equal(left.data != NULL ? left.data : "", right.data != NULL ? right.data : "");
    assert_int_equal(one->book.spendings, other->book.spendings);
    assert_int_equal(one->book.replays, other->book.replays);
    assert_int_equal(one->book.requests, other->book.requests);
    text_free(&left);
    text_free(&right);
}

static bool on_state(void *arg, struct span part)
{
    json_t *json = json_loadb(part.data, part.length, 0, NULL);

    assert_non_null(json);
    assert_null(claims_state_add(arg, json));
    json_decref(json);
    return true;
}

/* The state as a new segment's head says it. */
static struct claims_state reborn(const struct claims_state *state)
{
    struct claims_state copy = {0};

    assert_true(claims_state_write(state, on_state, &copy));
    return copy;
}

/* ---- random histories ---- */

struct play {
    struct history history;
    struct claims_state state;  /* as the writer has it */
    struct claims_state reread; /* as a start after it would */
    uint64_t random;
    int64_t now_us;
    int requests, approvals;
    unsigned seen[CLAIM_RESULTS]; /* answers */
};

static int pick(struct play *play, int count)
{
    play->random = play->random * 6364136223846793005u + 1442695040888963407u;
    return (int)((play->random >> 33) % (unsigned)count);
}

static int maybe(struct play *play, int count)
{
    return pick(play, 2) == 0 ? NONE : pick(play, count);
}

/* A request that is under way, if a few guesses find one. */
static int any_open(struct play *play)
{
    int request = 0;

    for (int i = 0; i < 20; i++) {
        request = pick(play, play->requests + 1);
        if (request < play->requests && is_open(&play->history, request) &&
            end_of(&play->history, request) == OPEN)
            break;
    }
    return request;
}

static struct event any_event(struct play *play)
{
    static const enum event_kind kinds[] = {INTENT, INTENT, INTENT, INTENT, END,      END,  END,  ASK,
                                            ASK,    GIVE,   GIVE,   GIVE,   WITHDRAW, VOID, RESET};
    struct event event = {.kind = kinds[pick(play, 15)], .time_us = play->now_us};

    event.request = event.kind == END ? any_open(play) : play->requests++;
    event.key = maybe(play, 3);
    event.same = pick(play, 3);
    event.twin = maybe(play, 3);
    event.approval = event.kind == ASK      ? play->approvals++
                     : event.kind == INTENT ? (pick(play, 3) > 0 ? NONE : pick(play, play->approvals + 1))
                                            : pick(play, play->approvals + 1);
    if (event.approval != NONE && event.kind != ASK && play->approvals > 2 && pick(play, 4) > 0)
        event.approval = play->approvals - 1 - pick(play, 2); /* one that may be live */
    event.budgets[0] = event.kind == RESET ? pick(play, 2) : maybe(play, 1);
    event.budgets[1] = event.kind == RESET ? NONE : maybe(play, 2) == 1 ? 1 : NONE;
    if (event.kind == INTENT && pick(play, 3) == 0) /* nothing else that it could fail for */
        event.key = event.twin = event.approval = NONE, event.budgets[0] = 0;
    event.end = UNKNOWN + (enum end)pick(play, 5);
    event.principal = pick(play, 4);
    event.person = pick(play, 4) > 0 ? event.principal : pick(play, 4);
    event.facts = pick(play, 5) == 0;
    event.targets = 1 + (pick(play, 5) == 0);
    if (event.kind == INTENT && event.key == NONE && event.twin == NONE && event.approval == NONE &&
        event.budgets[0] == NONE && event.budgets[1] == NONE)
        event.twin = 0;
    if (event.kind == INTENT && event.approval != NONE && pick(play, 3) > 0) { /* as it was asked for */
        const struct event *asked = model_asked(&play->history, event.approval);

        if (asked != NULL)
            event.same = asked->same, event.facts = asked->facts, event.targets = asked->targets;
    }
    return event;
}

static void remember(struct play *play, const struct event *event)
{
    assert_true(play->history.count < EVENTS);
    play->history.events[play->history.count++] = *event;
}

/* The writer's part in one record that claims. */
static void take(struct play *play, struct event *event)
{
    struct texts texts = {.count = 0};
    struct claim claims[CLAIMS_MOST];
    struct claim_verdict verdict;
    size_t count = claims_of(event, &texts, claims);
    struct record record = line_of(event, &texts, claims, count);
    const struct claims_record claimed = {event->time_us,
                                          say(&texts, "id-%d", event->request),
                                          line_text(&record),
                                          record_kept(&record, RECORD_CLAIMS),
                                          claims,
                                          count};
    enum claim_result expected = model(&play->history, event);

    claims_state_take(&play->state, &claimed, &verdict);
    if (verdict.result != expected)
        fail_msg("event %d: %s, not %s", play->history.count, claim_result_name(verdict.result),
                 claim_result_name(expected));
    play->seen[verdict.result]++;
    if (expected == CLAIMS_TAKEN)
        remember(play, event);
    if (expected == CLAIM_KEY_DONE && verdict.status != 0) {
        assert_int_equal(verdict.status, 201);
        assert_true(span_is(verdict.replay, "{\"body\":\"{\\\"data\\\":1}\"}"));
    }
    if (expected == CLAIM_BREAKER_OPEN) {
        struct event trip = *event;

        trip.kind = TRIP;
        trip.budgets[0] = 1;
        bool tripped;
        (void)model_spent(&play->history, 1, event->time_us, &tripped);
        if (!tripped)
            take(play, &trip);
    }
    record_free(&record);
}

/* Lines that became durable, as a start reads them. */
static void reread(struct play *play, int from)
{
    for (; from < play->history.count; from++) {
        struct texts texts = {.count = 0};
        struct claim claims[CLAIMS_MOST];
        const struct event *event = &play->history.events[from];
        size_t count = event->kind != END ? claims_of(event, &texts, claims) : 0;
        struct record record = line_of(event, &texts, claims, count);

        assert_null(claims_state_read(&play->reread, line_text(&record)));
        if (event->kind == END)
            assert_null(claims_state_read(&play->state, line_text(&record)));
        record_free(&record);
    }
}

/* One group of records: ends, and what claims, which is made durable or not. */
static void play_group(struct play *play)
{
    int before = play->history.count, size = 1 + pick(play, 4);
    bool fails = pick(play, 4) == 0;

    for (int i = 0; i < size; i++) {
        struct event event = any_event(play);

        if (event.kind != END)
            take(play, &event);
        else if (event.request < play->requests && is_open(&play->history, event.request) && !fails &&
                 play->history.count == before) { /* ends count behind their group: one alone */
            remember(play, &event);
            break;
        }
        play->now_us += pick(play, 3) * SECOND / 2;
    }
    if (fails) {
        claims_state_take_back(&play->state);
        play->history.count = before;
        assert_same(&play->state, &play->reread, play->now_us);
        return;
    }
    claims_state_keep(&play->state, play->now_us);
    reread(play, before);
}

static void random_histories_are_as_the_model_says(void **state)
{
    unsigned seen[CLAIM_RESULTS] = {0};
    (void)state;

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct play play = {.random = round, .now_us = START};

        while (play.history.count < EVENTS - 20) {
            play_group(&play);
            play.now_us += pick(&play, 20) == 0 ? pick(&play, 40) * SECOND : 1000;
            if (pick(&play, 60) == 0)
                play.now_us += pick(&play, 2) * CLAIM_KEY_S * SECOND;
            if (pick(&play, 10) == 0)
                assert_same(&play.state, &play.reread, play.now_us);
            if (pick(&play, 10) == 0) {
                struct claims_state copy = reborn(&play.state);

                assert_same(&play.state, &copy, play.now_us);
                claims_state_free(&play.reread);
                play.reread = copy;
            }
        }
        for (unsigned i = 0; i < CLAIM_RESULTS; i++)
            seen[i] += play.seen[i];
        claims_state_free(&play.state);
        claims_state_free(&play.reread);
    }
    for (enum claim_result result = CLAIMS_TAKEN; result <= CLAIM_GIVEN_BEFORE; result++)
        if (seen[result] < ROUNDS / 4)
            fail_msg("%s was answered %u times only", claim_result_name(result), seen[result]);
}

/* ---- bounds ---- */

static enum claim_result take_one(struct claims_state *state, int64_t time_us, const char *id,
                                  const struct claim *claim)
{
    struct claim_verdict verdict;
    struct text text = {0};

    claims_write(claim, 1, &text);
    const struct claims_record record = {
        time_us, span_of(id), SPAN("{\"the\":\"record\"}"), {text.data, text.length}, claim, 1};
    claims_state_take(state, &record, &verdict);
    claims_state_keep(state, time_us);
    text_free(&text);
    return verdict.result;
}

static enum claim_result spend(struct claims_state *state, int64_t time_us, const char *id)
{
    const struct claim claim = {.kind = CLAIM_BUDGET, .scope = SPAN("rule\n"), .requests = 2, .seconds = 60};

    return take_one(state, time_us, id, &claim);
}

/* A record is made before the writer has it, and a sweep may come between: what was spent in the window of
 * the record is not forgotten by then. */
static void a_late_record_finds_what_was_spent(void **unused)
{
    struct claims_state state = {0};
    (void)unused;

    assert_int_equal(spend(&state, START, "a"), CLAIMS_TAKEN);
    assert_int_equal(spend(&state, START, "b"), CLAIMS_TAKEN);
    claims_state_sweep(&state, START + 60 * SECOND + 5 * SECOND);
    assert_int_equal(spend(&state, START + 60 * SECOND - 1, "c"), CLAIM_BUDGET_SPENT);
    assert_int_equal(spend(&state, START + 60 * SECOND, "d"), CLAIMS_TAKEN);
    claims_state_sweep(&state, START + 200 * SECOND);
    assert_null(book_next(&state.book, HELD_BUDGET, NULL));
    claims_state_free(&state);
}

/* A clock that was wrong for a moment, by years: what was spent then is not given out again, and does not
 * shut the budget until those years have passed. */
static void a_clock_is_put_back(void **unused)
{
    static const int64_t leaps[] = {20 * SECOND, 3600 * SECOND, 50 * 365 * 86400 * SECOND};
    (void)unused;

    for (size_t i = 0; i < sizeof leaps / sizeof *leaps; i++) {
        struct claims_state state = {0};

        assert_int_equal(spend(&state, START + leaps[i], "then"), CLAIMS_TAKEN);
        assert_int_equal(spend(&state, START + leaps[i], "then too"), CLAIMS_TAKEN);
        claims_state_keep(&state, START);
        struct claims_state copy = reborn(&state);
        for (int64_t passed = 1; passed < 60; passed += 19)
            assert_int_equal(spend(&copy, START + passed * SECOND, "again"), CLAIM_BUDGET_SPENT);
        assert_int_equal(spend(&copy, START + 75 * SECOND, "later"), CLAIMS_TAKEN);
        claims_state_free(&copy);
        claims_state_free(&state);
    }
}

static enum claim_result take_key(struct claims_state *state, int64_t time_us, int number)
{
    char id[ROOM], key[ROOM];

    snprintf(id, sizeof id, "id-%d", number);
    snprintf(key, sizeof key, "key-%d", number);
    return take_one(state, time_us, id,
                    &(struct claim){.kind = CLAIM_KEY, .scope = span_of(key), .request = SPAN("request")});
}

static void end_one(struct claims_state *state, int number, const char *replay)
{
    char line[CLAIM_REPLAY_BYTES + 512];

    snprintf(line, sizeof line,
             "{\"replay\":%s,\"request_id\":\"id-%d\",\"sent\":true,\"stage\":\"outcome\",\"status\":201}",
             replay, number);
    assert_null(claims_state_read(state, span_of(line)));
}

/* Full is full: a live key is never dropped for another one. Room comes when the day is over. */
static void no_room_forgets_nothing(void **unused)
{
    struct claims_state state = {0};
    (void)unused;

    for (int i = 0; i < CLAIM_KEYS; i++) {
        assert_int_equal(take_key(&state, START + i, i), CLAIMS_TAKEN);
        end_one(&state, i, "7");
    }
    assert_int_equal(take_key(&state, START + CLAIM_KEYS, CLAIM_KEYS), CLAIMS_FULL);
    for (int i = 0; i < CLAIM_KEYS; i += 999)
        assert_int_equal(take_key(&state, START + 60 * SECOND, i), CLAIM_KEY_DONE);
    int64_t later = START + CLAIM_KEY_S * SECOND + CLAIM_KEYS / 2;
    (void)take_key(&state, later, CLAIM_KEYS); /* if not this one, then the next */
    assert_int_equal(take_key(&state, later, CLAIM_KEYS + 1), CLAIMS_TAKEN);
    assert_int_equal(take_key(&state, later, CLAIM_KEYS - 1), CLAIM_KEY_DONE);
    claims_state_free(&state);
}

static const char *kept_answer = "7"; /* of the keys that are done */

static enum claim_result take_key_of(struct claims_state *state, const char *principal, int number)
{
    static char line[CLAIM_REPLAY_BYTES + 512];
    char id[ROOM], key[ROOM];

    snprintf(id, sizeof id, "%s-%d", principal, number);
    snprintf(key, sizeof key, "key-%s-%d", principal, number);
    const struct claim claim = {.kind = CLAIM_KEY,
                                .scope = span_of(key),
                                .request = SPAN("request"),
                                .principal = span_of(principal)};
    enum claim_result result = take_one(state, START, id, &claim);

    if (result == CLAIMS_TAKEN) {
        snprintf(line, sizeof line,
                 "{\"replay\":%s,\"request_id\":\"%s\",\"sent\":true,\"stage\":\"outcome\",\"status\":201}",
                 kept_answer, id);
        assert_null(claims_state_read(state, span_of(line)));
    }
    return result;
}

/* Takes as many as it gets. */
static int take_all_of(struct claims_state *state, const char *principal)
{
    int count = 0;

    while (take_key_of(state, principal, count) == CLAIMS_TAKEN)
        count++;
    return count;
}

/* However many others have: who comes late has some of what is left; also behind a restart. */
static void nobody_takes_all_keys(void **unused)
{
    struct claims_state state = {0};
    (void)unused;

    assert_int_equal(take_all_of(&state, "greedy"), CLAIM_KEYS / 2);
    assert_int_equal(take_all_of(&state, "second"), CLAIM_KEYS / 4);
    struct claims_state copy = reborn(&state);
    assert_same(&state, &copy, START);
    claims_state_free(&state);
    assert_int_equal(take_all_of(&copy, "third"), CLAIM_KEYS / 8);
    assert_int_equal(take_key_of(&copy, "greedy", CLAIM_KEYS), CLAIMS_FULL);
    assert_int_equal(take_key_of(&copy, "greedy", 7), CLAIM_KEY_DONE);
    assert_int_equal(take_key_of(&copy, "fourth", 0), CLAIMS_TAKEN);
    claims_state_free(&copy);
}

/* And of the room for answers. */
static void nobody_takes_all_answers(void **unused)
{
    static char answer[CLAIM_REPLAY_BYTES + 1];
    struct claims_state state = {0};
    (void)unused;

    memset(answer, 'x', sizeof answer - 1);
    answer[0] = answer[sizeof answer - 2] = '"';
    kept_answer = answer;
    for (int i = 0; i < 2000; i++)
        assert_int_equal(take_key_of(&state, "greedy", i), CLAIMS_TAKEN);
    assert_int_equal(state.book.replays, CLAIM_REPLAYS / 2);
    for (int i = 0; i < 2000; i++)
        assert_int_equal(take_key_of(&state, "second", i), CLAIMS_TAKEN);
    assert_int_equal(state.book.replays, CLAIM_REPLAYS / 4 * 3);
    struct claims_state copy = reborn(&state);
    assert_same(&state, &copy, START);
    assert_memory_equal(state.book.owners, copy.book.owners, sizeof copy.book.owners);
    claims_state_free(&copy);
    claims_state_sweep(&state, START + 2 * CLAIM_KEY_S * SECOND);
    for (size_t i = 0; i < BOOK_OWNERS; i++)
        assert_true(state.book.owners[i].keys == 0 && state.book.owners[i].replays == 0);
    claims_state_free(&state);
    kept_answer = "7";
}

static enum claim_result ask_of(struct claims_state *state, const char *principal, int number, size_t bytes)
{
    static char text[CLAIM_REQUEST_BYTES + 1];
    char id[ROOM], request[ROOM];

    memset(text, ' ', bytes);
    text[0] = '{', text[bytes - 1] = '}';
    snprintf(id, sizeof id, "%s-%d", principal, number);
    snprintf(request, sizeof request, "request-%s-%d", principal, number);
    const struct claim claim = {.kind = CLAIM_ASK,
                                .id = span_of(id),
                                .request = span_of(request),
                                .facts = SPAN("facts"),
                                .targets = CLAIM_NO_RADIUS,
                                .projects = CLAIM_NO_RADIUS,
                                .people = 1,
                                .seconds = ASK_S,
                                .rule = SPAN("rule"),
                                .principal = span_of(principal),
                                .limit = 1000};
    const struct claims_record record = {
        .time_us = START, .text = {text, bytes}, .claims = &claim, .count = 1};
    struct claim_verdict verdict;

    claims_state_take(state, &record, &verdict);
    claims_state_keep(state, START);
    return verdict.result;
}

/* The same for the room that requests for approval take. */
static void nobody_fills_what_waits(void **unused)
{
    struct claims_state state = {0};
    int most = (int)(CLAIM_REQUESTS_BYTES / CLAIM_REQUEST_BYTES), count = 0;
    (void)unused;

    while (ask_of(&state, "greedy", count, CLAIM_REQUEST_BYTES) == CLAIMS_TAKEN)
        count++;
    assert_int_equal(count, most / 2);
    assert_int_equal(ask_of(&state, "greedy", count, CLAIM_REQUEST_BYTES), CLAIMS_FULL);
    assert_int_equal(ask_of(&state, "second", 0, CLAIM_REQUEST_BYTES), CLAIMS_TAKEN);
    assert_int_equal(ask_of(&state, "second", 1, CLAIM_REQUEST_BYTES + 1), CLAIMS_FULL);
    assert_int_equal(ask_of(&state, "second", 1, 1000), CLAIMS_TAKEN);
    claims_state_free(&state);
}

/* Each number for itself: fewer are fine, more are not, and what is not known is no number. */
static void the_radius_is_bound(void **unused)
{
    static const uint64_t no = CLAIM_NO_RADIUS;
    static const struct {
        uint64_t targets, projects;           /* approved */
        uint64_t targets_then, projects_then; /* when it is used */
        enum claim_result result;
    } rows[] = {
        {3, 5, 3, 5, CLAIMS_TAKEN},
        {3, 5, 2, 5, CLAIMS_TAKEN},
        {3, 5, 0, 0, CLAIMS_TAKEN},
        {3, 5, 4, 5, CLAIM_APPROVAL_STALE},
        {3, 5, 3, 6, CLAIM_APPROVAL_STALE},
        {3, 5, 2, 6, CLAIM_APPROVAL_STALE},
        {3, 5, no, no, CLAIM_APPROVAL_STALE},
        {3, 5, 3, no, CLAIM_APPROVAL_STALE},
        {no, no, no, no, CLAIMS_TAKEN},
        {no, no, 0, 0, CLAIM_APPROVAL_STALE},
        {600, no, 600, no, CLAIMS_TAKEN}, /* counted, but not looked at one by one */
        {600, no, 599, no, CLAIMS_TAKEN},
        {600, no, 601, no, CLAIM_APPROVAL_STALE},
        {600, no, 600, 7, CLAIM_APPROVAL_STALE},
    };
    (void)unused;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct claims_state state = {0};
        struct claim claim = {.kind = CLAIM_ASK,
                              .id = SPAN("a"),
                              .request = SPAN("request"),
                              .facts = SPAN("facts"),
                              .targets = rows[i].targets,
                              .projects = rows[i].projects,
                              .people = 1,
                              .seconds = ASK_S,
                              .rule = SPAN("rule"),
                              .principal = SPAN("p"),
                              .person = SPAN("q")};

        assert_int_equal(take_one(&state, START, "id-0", &claim), CLAIMS_TAKEN);
        claim.kind = CLAIM_GIVE;
        claim.principal = SPAN("q");
        assert_int_equal(take_one(&state, START, "id-1", &claim), CLAIMS_TAKEN);
        claim.kind = CLAIM_APPROVAL;
        claim.targets = rows[i].targets_then;
        claim.projects = rows[i].projects_then;
        if (take_one(&state, START, "id-2", &claim) != rows[i].result)
            fail_msg("row %zu", i);
        claims_state_free(&state);
    }
}

/* What is too long to be kept leaves a key that is done all the same. */
static void answers_give_way(void **unused)
{
    static char replay[CLAIM_REPLAY_BYTES + 1];
    const struct claim claim = {.kind = CLAIM_KEY, .scope = SPAN("key-1"), .request = SPAN("request")};
    const struct claims_record record = {START, SPAN("id-9"), SPAN("{}"), SPAN("[]"), &claim, 1};
    struct claims_state state = {0};
    struct claim_verdict verdict;
    (void)unused;

    memset(replay, 'x', sizeof replay - 1);
    replay[0] = replay[sizeof replay - 2] = '"';
    for (int i = 0; i < 2; i++) {
        assert_int_equal(take_key(&state, START, i), CLAIMS_TAKEN);
        if (i == 1) { /* one byte too many */
            char longer[sizeof replay + 1];

            snprintf(longer, sizeof longer, "\"x%s", replay + 1);
            end_one(&state, i, longer);
        } else {
            end_one(&state, i, replay);
        }
    }
    assert_int_equal(state.book.replays, CLAIM_REPLAY_BYTES);
    claims_state_take(&state, &record, &verdict);
    assert_int_equal(verdict.result, CLAIM_KEY_DONE);
    assert_int_equal(verdict.status, 201);
    assert_null(verdict.replay.data);
    for (int i = 2; i < 1500; i++) {
        assert_int_equal(take_key(&state, START, i), CLAIMS_TAKEN);
        end_one(&state, i, replay);
        assert_true(state.book.replays <= CLAIM_REPLAYS);
    }
    assert_int_equal(state.book.replays, CLAIM_REPLAYS);
    claims_state_free(&state);
}

/* Old segments stay for as long as something in force rests on them. */
static void since_is_the_oldest_in_force(void **unused)
{
    const struct claim budget = {
        .kind = CLAIM_BUDGET, .scope = SPAN("rule\nall"), .requests = 5, .seconds = 30 * 86400};
    struct claims_state state = {0};
    (void)unused;

    assert_true(claims_state_since(&state, START) == INT64_MAX);
    assert_int_equal(take_one(&state, START, "id-0", &budget), CLAIMS_TAKEN);
    end_one(&state, 0, "7");
    assert_int_equal(take_key(&state, START + SECOND, 1), CLAIMS_TAKEN);
    assert_true(claims_state_since(&state, START + 86400 * SECOND) == START);
    assert_true(claims_state_since(&state, START + 40 * 86400 * SECOND) == START + SECOND); /* in flight */
    end_one(&state, 1, "7");
    assert_true(claims_state_since(&state, START + 40 * 86400 * SECOND) == INT64_MAX);
    claims_state_free(&state);
}

/* Lines that only somebody else can have written are said to be wrong, and change nothing. */
static void foreign_lines_are_refused(void **unused)
{
    static const char *const lines[] = {
        "{\"claims\":[],\"request_id\":\"x\",\"stage\":\"intent\",\"time\":\"2026-01-01T00:00:00.000000Z\"}",
        "{\"claims\":[{\"claim\":\"twin\"}],\"request_id\":\"x\",\"stage\":\"intent\",\"time\":\"2026-01-"
        "01T00:00:00.000000Z\"}",
        "{\"claims\":[{\"claim\":\"twin\",\"scope\":\"t\"}],\"stage\":\"intent\",\"time\":\"2026-01-01T00:00:"
        "00.000000Z\"}",
        "{\"claims\":[{\"claim\":\"twin\",\"scope\":\"t\"}],\"request_id\":\"x\",\"stage\":\"intent\","
        "\"time\":\"noon\"}",
        "{\"claims\":[{\"claim\":\"twin\",\"scope\":\"t\"}],\"request_id\":\"x\",\"stage\":\"approval\","
        "\"time\":\"2026-01-01T00:00:00.000000Z\"}",
        "{\"claims\":[{\"claim\":\"budget\",\"requests\":0,\"scope\":\"t\",\"seconds\":1}],\"request_id\":"
        "\"x\",\"stage\":\"intent\",\"time\":\"2026-01-01T00:00:00.000000Z\"}",
        "{\"claims\":[{\"claim\":\"all\",\"scope\":\"t\"}],\"request_id\":\"x\",\"stage\":\"intent\","
        "\"time\":\"2026-01-01T00:00:00.000000Z\"}",
        "{\"claims\":{},\"request_id\":\"x\",\"stage\":\"intent\",\"time\":\"2026-01-01T00:00:00.000000Z\"}",
        "{\"stage\":\"state\",\"state\":{}}",
        "{\"part\":1,\"stage\":\"state\",\"state\":{\"keys\":[{}]}}",
        "{\"part\":1,\"stage\":\"state\",\"state\":{\"keys\":[{\"called\":\"k\",\"state\":9}]}}",
        "{\"part\":1,\"stage\":\"state\",\"state\":{\"approvals\":[{\"called\":\"a\"}]}}",
        "{\"part\":1,\"stage\":\"state\",\"state\":{\"flights\":[{\"called\":\"a\",\"claims\":7}]}}",
        "{\"part\":1,\"stage\":\"state\",\"state\":{\"twins\":[{\"called\":\"a\",\"time\":1},{\"called\":"
        "\"a\",\"time\":1}]}}",
    };
    (void)unused;

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct claims_state state = {0};

        if (claims_state_read(&state, span_of(lines[i])) == NULL)
            fail_msg("it was believed: %s", lines[i]);
        assert_int_equal(state.book.shelves[HELD_FLIGHT].count, 0);
        claims_state_free(&state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories_are_as_the_model_says),
        cmocka_unit_test(no_room_forgets_nothing),
        cmocka_unit_test(a_late_record_finds_what_was_spent),
        cmocka_unit_test(a_clock_is_put_back),
        cmocka_unit_test(nobody_takes_all_keys),
        cmocka_unit_test(nobody_takes_all_answers),
        cmocka_unit_test(nobody_fills_what_waits),
        cmocka_unit_test(the_radius_is_bound),
        cmocka_unit_test(answers_give_way),
        cmocka_unit_test(since_is_the_oldest_in_force),
        cmocka_unit_test(foreign_lines_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
