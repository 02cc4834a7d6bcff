#include "policies/arena.h"
/* Claims in a real journal: races, failing disks, rotation, deaths at any of the writer's calls. */
#include "proxy/audit/claims.h"
#include "proxy/audit/scan.h"
#include "tests/unit/proxy/audit/support.h"

#include <stdatomic.h>
#include <sys/wait.h>

#define BUDGET_MOST 5
#define KEYS        60
#define TWINS       8
#define BUDGETS     60
#define LIVES       60
#define WISHES      100 /* of one life */

/* What an intent, or another record, claims; the numbers stand for names, 0 for none. */
struct wish {
    enum record_stage stage;
    int request, key, twin, budget;
    bool breaker;
    const char *approval; /* what is done to the one approval: "ask", "give", "use", … */
};

struct answer {
    int calls;
    bool durable;
    struct claim_verdict verdict;
    char replay[256];
};

static void on_claimed(void *arg, bool durable, const struct claim_verdict *verdict)
{
    struct answer *answer = arg;

    answer->calls++;
    answer->durable = durable;
    answer->verdict = *verdict;
    snprintf(answer->replay, sizeof answer->replay, "%.*s", (int)verdict->replay.length,
             verdict->replay.data != NULL ? verdict->replay.data : "");
}

#define ROOM 64
struct names {
    char id[ROOM], key[ROOM], twin[ROOM], budget[ROOM];
};

static size_t claims_of(const struct wish *wish, struct names *names, struct claim *claims)
{
    size_t count = 0;

    snprintf(names->id, ROOM, "00000000-0000-4000-8000-%012d", wish->request);
    snprintf(names->key, ROOM, "key-%d", wish->key);
    snprintf(names->twin, ROOM, "twin-%d", wish->twin);
    snprintf(names->budget, ROOM, "%s-%d\nall", wish->breaker ? "breaker" : "budget", wish->budget);
    if (wish->key > 0)
        claims[count++] =
            (struct claim){.kind = CLAIM_KEY, .scope = span_of(names->key), .request = SPAN("the request")};
    if (wish->twin > 0)
        claims[count++] = (struct claim){.kind = CLAIM_TWIN, .scope = span_of(names->twin)};
    if (wish->budget > 0)
        claims[count++] = (struct claim){.kind = CLAIM_BUDGET,
                                         .scope = span_of(names->budget),
                                         .requests = BUDGET_MOST,
                                         .seconds = 86400,
                                         .until_reset = wish->breaker};
    if (wish->approval == NULL)
        return count;
    static const struct {
        const char *verb;
        enum claim_kind kind;
    } verbs[] = {{"ask", CLAIM_ASK},
                 {"give", CLAIM_GIVE},
                 {"take back", CLAIM_WITHDRAW},
                 {"void", CLAIM_VOID},
                 {"use", CLAIM_APPROVAL}};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(wish->approval, verbs[i].verb) == 0)
            claims[count++] = (struct claim){.kind = verbs[i].kind,
                                             .id = SPAN("11111111-2222-4333-8444-555555555555"),
                                             .request = SPAN("the request"),
                                             .facts = SPAN("the facts"),
                                             .targets = 3,
                                             .projects = 4,
                                             .people = 1,
                                             .seconds = 3600,
                                             .rule = SPAN("two-people"),
                                             .principal = SPAN("alice"),
                                             .person = SPAN("alice")};
    return count;
}

/* Appends a record with its claims; true when it was queued. */
static bool claim(struct end end, const struct wish *wish, struct answer *answer)
{
    struct claim claims[4];
    struct names names;
    struct text text = {0};
    struct record record = {0};
    size_t count = claims_of(wish, &names, claims);

    claims_write(claims, count, &text);
    assert_true(record_build(&(struct record_fields){.stage = wish->stage,
                                                     .time_us = clock_now_us(),
                                                     .claims = {text.data, text.length},
                                                     .request_id = span_of(names.id),
                                                     .principal = SPAN("ci-bot"),
                                                     .organization = SPAN("the place")},
                             &record));
    bool queued = journal_append_claiming(end.port, &record, claims, count, on_claimed, answer);
    record_free(&record);
    text_free(&text);
    return queued;
}

static struct answer claim_and_wait(struct end end, const struct wish *wish)
{
    struct answer answer = {0};
    int64_t deadline = deadline_make();

    assert_true(claim(end, wish, &answer));
    while (answer.calls == 0)
        turn(end.base, deadline);
    assert_int_equal(answer.calls, 1);
    assert_int_equal(answer.durable, answer.verdict.result == CLAIMS_TAKEN);
    return answer;
}

static struct record end_record(int request, enum record_flag sent, const char *result)
{
    struct record record = {0};
    char id[ROOM];

    snprintf(id, sizeof id, "00000000-0000-4000-8000-%012d", request);
    assert_true(record_build(&(struct record_fields){.stage = STAGE_OUTCOME,
                                                     .time_us = clock_now_us(),
                                                     .request_id = span_of(id),
                                                     .replay = SPAN("{\"body\":\"it is done\"}"),
                                                     .result = span_of(result),
                                                     .sent = sent,
                                                     .status = record_number(201)},
                             &record));
    record.owed = true;
    return record;
}

static bool end_and_wait(struct end end, int request, enum record_flag sent, const char *result)
{
    struct record record = end_record(request, sent, result);
    struct told told = {0};
    int64_t deadline = deadline_make();

    assert_true(journal_append(end.port, &record, on_told, &told));
    while (told.calls == 0)
        turn(end.base, deadline);
    return told.durable;
}

#define INTENT_OF(request_, ...) (&(struct wish){.stage = STAGE_INTENT, .request = (request_), __VA_ARGS__})

/* ---- answers ---- */

static void one_of_two_gets_it(void **state)
{
    struct journal *journal = open_journal(*state, &journal_io_system, 16, 0);
    struct end end = end_make(journal), other = end_make(journal);
    struct answer first = {0}, second = {0};
    int64_t deadline = deadline_make();

    assert_true(claim(end, INTENT_OF(1, .twin = 1), &first));
    assert_true(claim(other, INTENT_OF(2, .twin = 1), &second));
    while (first.calls == 0 || second.calls == 0) {
        turn(end.base, deadline);
        turn(other.base, deadline);
    }
    assert_int_equal((first.verdict.result == CLAIMS_TAKEN) + (second.verdict.result == CLAIMS_TAKEN), 1);
    assert_int_equal(
        (first.verdict.result == CLAIM_TWIN_IN_FLIGHT) + (second.verdict.result == CLAIM_TWIN_IN_FLIGHT), 1);
    assert_true(end_and_wait(end, first.durable ? 1 : 2, RECORD_TRUE, NULL));
    assert_int_equal(claim_and_wait(end, INTENT_OF(3, .twin = 1)).verdict.result, CLAIMS_TAKEN);
    end_free(end);
    end_free(other);
    journal_close(journal);

    json_t *records = read_journal(*state);
    assert_int_equal(count_records(records, "intent", NULL), 2);
    assert_int_equal(count_records(records, "missed", NULL), 0);
    assert_gapless(records);
    json_decref(records);
}

static void a_key_answers_what_was_answered(void **state)
{
    struct journal *journal = open_journal(*state, &journal_io_system, 16, 0);
    struct end end = end_make(journal);

    assert_true(claim_and_wait(end, INTENT_OF(1, .key = 1)).durable);
    assert_int_equal(claim_and_wait(end, INTENT_OF(2, .key = 1)).verdict.result, CLAIM_KEY_IN_FLIGHT);
    assert_true(end_and_wait(end, 1, RECORD_TRUE, "unknown"));
    assert_int_equal(claim_and_wait(end, INTENT_OF(3, .key = 1)).verdict.result, CLAIM_KEY_UNKNOWN);
    for (int run = 0; run < 2; run++) { /* the same after a restart */
        end_free(end);
        journal_close(journal);
        journal = open_journal(*state, &journal_io_system, 16, 0);
        end = end_make(journal);
        if (run == 0) {
            assert_int_equal(claim_and_wait(end, INTENT_OF(4, .key = 1)).verdict.result, CLAIM_KEY_UNKNOWN);
            assert_true(end_and_wait(end, 1, RECORD_TRUE, NULL)); /* it was found out */
        }
        struct answer answer = claim_and_wait(end, INTENT_OF(5, .key = 1));
        assert_int_equal(answer.verdict.result, CLAIM_KEY_DONE);
        assert_int_equal(answer.verdict.status, 201);
        assert_string_equal(answer.replay, "{\"body\":\"it is done\"}");
        assert_string_equal(answer.verdict.request_id, "00000000-0000-4000-8000-000000000001");
    }
    end_free(end);
    journal_close(journal);
}

/* However a change ended: its key is answered so while the journal runs, and when it is read again. */
static void an_end_is_the_same_when_it_is_read_again(void **state)
{
    static const struct {
        enum record_stage stage;
        unsigned upstream_status;
        const char *result, *sent;
        enum claim_result then;
        unsigned status;
        const char *found;
    } rows[] = {
        {STAGE_OUTCOME, 201, NULL, "true", CLAIM_KEY_DONE, 201, ""},
        {STAGE_OUTCOME, 429, NULL, "true", CLAIMS_TAKEN, 0, ""},
        {STAGE_OUTCOME, 0, "unknown", "true", CLAIM_KEY_UNKNOWN, 0, ""},
        {STAGE_OUTCOME, 0, "not-sent", "false", CLAIMS_TAKEN, 0, ""},
        {STAGE_RECONCILED, 0, "present", "", CLAIM_KEY_DONE, 0, "present"},
        {STAGE_RECONCILED, 0, "unknown", "", CLAIM_KEY_UNKNOWN, 0, ""},
    };
    enum { ROWS = sizeof rows / sizeof *rows };
    struct journal *journal = open_journal(*state, &journal_io_system, 16, 0);
    struct end end = end_make(journal);

    for (int i = 0; i < ROWS; i++) {
        struct told told = {0};
        struct record record = {0};
        char id[ROOM];
        int64_t deadline = deadline_make();

        assert_true(claim_and_wait(end, INTENT_OF(i, .key = i + 1)).durable);
        snprintf(id, sizeof id, "00000000-0000-4000-8000-%012d", i);
        assert_true(record_build(
            &(struct record_fields){
                .stage = rows[i].stage,
                .time_us = clock_now_us(),
                .request_id = span_of(id),
                .result = span_of(rows[i].result),
                .sent = *rows[i].sent == '\0'  ? RECORD_UNSAID
                        : *rows[i].sent == 't' ? RECORD_TRUE
                                               : RECORD_FALSE,
                .status = record_number(rows[i].upstream_status == 0 ? 502 : rows[i].upstream_status),
                .upstream_status = {rows[i].upstream_status != 0, rows[i].upstream_status}},
            &record));
        assert_true(journal_append(end.port, &record, on_told, &told));
        while (told.calls == 0)
            turn(end.base, deadline);
    }
    for (int run = 0; run < 2; run++) {
        for (int i = 0; i < ROWS; i++) {
            struct answer answer = {0};
            struct arena arena;
            struct wish wish = *INTENT_OF(ROWS, .key = i + 1);
            struct claim claims[4];
            struct names names;

            arena_init(&arena);
            size_t count = claims_of(&wish, &names, claims);
            journal_look(journal, claims, count, clock_now_us(), &arena, &answer.verdict);
            assert_int_equal(answer.verdict.result, rows[i].then);
            if (rows[i].then == CLAIM_KEY_DONE) {
                assert_int_equal(answer.verdict.status, rows[i].status);
                assert_string_equal(answer.verdict.found, rows[i].found);
            }
            arena_reset(&arena);
        }
        end_free(end);
        journal_close(journal);
        journal = open_journal(*state, &journal_io_system, 16, 0);
        end = end_make(journal);
    }
    end_free(end);
    journal_close(journal);
}

/* The two views of one that waits, by id and in the list, tell its record, too. */
static void assert_told(json_t *view)
{
    json_t *record = json_object_get(view, "record");

    assert_string_equal(text_of(view, "id"), "11111111-2222-4333-8444-555555555555");
    assert_string_equal(text_of(record, "principal"), "ci-bot");
    assert_null(json_object_get(record, "seq"));
}

static bool is_of_the_place(const void *arg, struct span principal, struct span organization)
{
    assert_true(span_is(principal, "alice"));
    return span_is(organization, arg);
}

static void an_approval_is_used_once(void **state)
{
    static const struct {
        enum record_stage stage;
        enum claim_result result;
        const char *what;
        size_t listed; /* behind it */
    } steps[] = {
        {STAGE_APPROVAL, CLAIM_NOT_FOUND, "give", 0},    {STAGE_INTENT, CLAIM_NOT_APPROVED, "use", 0},
        {STAGE_APPROVAL, CLAIMS_TAKEN, "ask", 1},        {STAGE_APPROVAL, CLAIM_PENDING_ALREADY, "ask", 1},
        {STAGE_INTENT, CLAIM_NOT_APPROVED, "use", 1},    {STAGE_APPROVAL, CLAIMS_TAKEN, "give", 1},
        {STAGE_APPROVAL, CLAIM_GIVEN_BEFORE, "give", 1}, {STAGE_APPROVAL, CLAIMS_TAKEN, "take back", 1},
        {STAGE_INTENT, CLAIM_NOT_APPROVED, "use", 1},    {STAGE_APPROVAL, CLAIMS_TAKEN, "give", 1},
        {STAGE_INTENT, CLAIMS_TAKEN, "use", 0},          {STAGE_INTENT, CLAIM_NOT_APPROVED, "use", 0},
        {STAGE_APPROVAL, CLAIM_NOT_FOUND, "void", 0},
    };
    struct journal *journal = NULL;
    struct end end = {0};
    json_t *list, *one;

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct wish wish = *INTENT_OF((int)i, .approval = steps[i].what);

        if (journal != NULL && i % 2 == 0) { /* what was given is not lost */
            end_free(end);
            journal_close(journal);
        }
        if (i % 2 == 0) {
            journal = open_journal(*state, &journal_io_system, 16, 0);
            end = end_make(journal);
        }
        wish.stage = steps[i].stage;
        struct answer answer = claim_and_wait(end, &wish);
        if (answer.verdict.result != steps[i].result)
            fail_msg("step %zu: %s", i, claim_result_name(answer.verdict.result));
        list = journal_approvals(journal, clock_now_us(), is_of_the_place, "another place");
        assert_int_equal(json_array_size(list), 0);
        json_decref(list);
        list = journal_approvals(journal, clock_now_us(), is_of_the_place, "the place");
        assert_int_equal(json_array_size(list), steps[i].listed);
        if (steps[i].listed > 0)
            assert_told(json_array_get(list, 0));
        json_decref(list);
        one = journal_approval(journal, SPAN("11111111-2222-4333-8444-555555555555"), clock_now_us());
        assert_int_equal(one != NULL, steps[i].listed);
        if (one != NULL)
            assert_told(one);
        json_decref(one);
        one = journal_approval_for(journal, SPAN("the request"), clock_now_us());
        assert_int_equal(one != NULL, steps[i].listed);
        if (one != NULL)
            assert_string_equal(text_of(one, "id"), "11111111-2222-4333-8444-555555555555");
        json_decref(one);
    }
    assert_true(end_and_wait(end, 10, RECORD_FALSE, "not-sent")); /* given back: it was not used */
    assert_int_equal(claim_and_wait(end, INTENT_OF(99, .approval = "use")).verdict.result, CLAIMS_TAKEN);
    end_free(end);
    journal_close(journal);
}

static void an_overrun_breaker_stays_shut(void **state)
{
    struct journal *journal = open_journal(*state, &journal_io_system, 16, 0);
    struct end end = end_make(journal);
    const struct claim reset = {.kind = CLAIM_RESET, .scope = SPAN("breaker-1")};
    struct record record = {0};
    struct text text = {0};
    struct answer answer = {0};
    int64_t deadline = deadline_make();

    for (int i = 0; i <= BUDGET_MOST + 1; i++)
        assert_int_equal(claim_and_wait(end, INTENT_OF(i, .budget = 1, .breaker = true)).verdict.result,
                         i < BUDGET_MOST ? CLAIMS_TAKEN : CLAIM_BREAKER_OPEN);
    for (int i = 0; i < BUDGET_MOST; i++) /* given back: but it was overrun */
        assert_true(end_and_wait(end, i, RECORD_FALSE, "not-sent"));
    end_free(end);
    journal_close(journal);

    journal = open_journal(*state, &journal_io_system, 16, 0);
    end = end_make(journal);
    assert_int_equal(claim_and_wait(end, INTENT_OF(20, .budget = 1, .breaker = true)).verdict.result,
                     CLAIM_BREAKER_OPEN);
    json_t *budgets = journal_budgets(journal, SPAN("breaker-1"), clock_now_us());
    assert_int_equal(json_array_size(budgets), 1);
    assert_true(json_is_string(json_object_get(json_array_get(budgets, 0), "tripped")));
    json_decref(budgets);
    claims_write(&reset, 1, &text);
    assert_true(record_build(&(struct record_fields){.stage = STAGE_BREAKER,
                                                     .time_us = clock_now_us(),
                                                     .claims = {text.data, text.length},
                                                     .result = SPAN("reset")},
                             &record));
    assert_true(journal_append_claiming(end.port, &record, &reset, 1, on_claimed, &answer));
    while (answer.calls == 0)
        turn(end.base, deadline);
    assert_int_equal(answer.verdict.result, CLAIMS_TAKEN);
    text_free(&text);
    assert_int_equal(claim_and_wait(end, INTENT_OF(21, .budget = 1, .breaker = true)).verdict.result,
                     CLAIMS_TAKEN);
    end_free(end);
    journal_close(journal);

    json_t *records = read_journal(*state);
    assert_int_equal(count_records(records, "breaker", NULL), 2); /* tripped once, reset once */
    assert_string_equal(text_of(find_record(records, "breaker", 0), "result"), "tripped");
    assert_gapless(records);
    json_decref(records);
}

static void a_record_must_say_what_it_claims(void **state)
{
    struct journal *journal = open_journal(*state, &journal_io_system, 16, 0);
    struct end end = end_make(journal);
    const struct claim budget = {
        .kind = CLAIM_BUDGET, .scope = SPAN("budget-0\nall"), .requests = 1, .seconds = 60};
    const struct claim other = {.kind = CLAIM_TWIN, .scope = SPAN("twin-0")};
    struct record record = make_record(STAGE_INTENT, "without");
    struct answer answer = {0};

    assert_false(journal_append_claiming(end.port, &record, &budget, 1, on_claimed, &answer));
    record_free(&record);
    struct text text = {0};
    claims_write(&other, 1, &text);
    const struct record_fields fields = {.stage = STAGE_INTENT,
                                         .time_us = clock_now_us(),
                                         .request_id = SPAN("id"),
                                         .claims = {text.data, text.length}};
    assert_true(record_build(&fields, &record));
    assert_false(journal_append_claiming(end.port, &record, &budget, 1, on_claimed, &answer));
    record.owed = true;
    assert_false(journal_append_claiming(end.port, &record, &other, 1, on_claimed, &answer));
    record.owed = false;
    assert_true(journal_append_claiming(end.port, &record, &other, 1, on_claimed, &answer));
    journal_forget(end.port, &answer);
    text_free(&text);
    end_free(end);
    journal_close(journal);
    assert_int_equal(answer.calls, 0);
}

/* ---- a failing disk ---- */

static atomic_int sync_errno;

static int failing_sync(void *arg, int fd, bool metadata)
{
    (void)arg, (void)metadata;
    errno = atomic_load(&sync_errno);
    return errno == 0 ? fdatasync(fd) : -1;
}

static void what_was_not_written_is_given_back(void **state)
{
    struct journal_io io = journal_io_system;

    io.sync = failing_sync;
    atomic_store(&sync_errno, 0);
    struct journal *journal = open_journal(*state, &io, 16, 0);
    struct end end = end_make(journal);

    assert_true(claim_and_wait(end, INTENT_OF(1, .budget = 1)).durable);
    atomic_store(&sync_errno, EIO);
    struct answer lost = claim_and_wait(end, INTENT_OF(2, .key = 1, .twin = 1, .budget = 1));
    assert_int_equal(lost.verdict.result, CLAIMS_LOST);
    atomic_store(&sync_errno, 0);
    wait_usable(journal, true);
    for (int i = 1; i < BUDGET_MOST; i++)
        assert_true(
            claim_and_wait(end, INTENT_OF(10 + i, .key = i, .twin = i == 1 ? 1 : 0, .budget = 1)).durable);
    struct answer over = claim_and_wait(end, INTENT_OF(20, .budget = 1));
    assert_int_equal(over.verdict.result, CLAIM_BUDGET_SPENT);
    assert_in_range(over.verdict.retry_after_s, 86000, 86400);
    end_free(end);
    journal_close(journal);
}

/* Appends what an aborted exchange says of itself, which does not know what became of its intent. */
static void abort_one(struct end end, int request)
{
    struct record record = end_record(request, RECORD_FALSE, "not-sent");

    record.owed = false;
    record.if_intended = true;
    assert_true(journal_append(end.port, &record, NULL, NULL));
}

static void no_end_without_an_intent(void **state)
{
    struct journal_io io = journal_io_system;
    struct answer answers[3] = {{0}};
    int64_t deadline = deadline_make();

    io.sync = failing_sync;
    atomic_store(&sync_errno, 0);
    struct journal *journal = open_journal(*state, &io, 16, 0);
    struct end end = end_make(journal);

    assert_true(claim(end, INTENT_OF(1, .twin = 1), &answers[0]));
    assert_true(claim(end, INTENT_OF(2, .twin = 1), &answers[1])); /* refused: the first is in flight */
    abort_one(end, 2);
    abort_one(end, 1);
    while (answers[0].calls == 0 || answers[1].calls == 0)
        turn(end.base, deadline);
    assert_int_equal(answers[1].verdict.result, CLAIM_TWIN_IN_FLIGHT);
    assert_true(claim_and_wait(end, INTENT_OF(3, .twin = 1)).durable); /* given back */

    atomic_store(&sync_errno, EIO);
    assert_true(claim(end, INTENT_OF(4, .twin = 2), &answers[2]));
    abort_one(end, 4);
    while (answers[2].calls == 0)
        turn(end.base, deadline);
    assert_int_equal(answers[2].verdict.result, CLAIMS_LOST);
    atomic_store(&sync_errno, 0);
    wait_usable(journal, true);
    assert_true(claim_and_wait(end, INTENT_OF(5, .twin = 2)).durable);
    end_free(end);
    journal_close(journal);

    json_t *records = read_journal(*state);
    assert_int_equal(count_records(records, "outcome", NULL), 1);
    assert_int_equal(count_records(records, "outcome", "00000000-0000-4000-8000-000000000001"), 1);
    json_decref(records);
}

/* ---- many at once ---- */

struct racer {
    pthread_t thread;
    struct journal *journal;
    int number, taken;
};

#define RACERS 4
#define RACES  60

static void *race(void *arg)
{
    struct racer *racer = arg;
    struct end end = end_make(racer->journal);

    for (int i = 0; i < RACES; i++) {
        int request = racer->number * RACES + i;

        if (claim_and_wait(end, INTENT_OF(request, .budget = 1 + i % 20)).durable)
            racer->taken++;
    }
    end_free(end);
    return NULL;
}

static void no_more_than_the_budget(void **state)
{
    struct journal *journal = open_journal(*state, &journal_io_system, 64, 0);
    struct racer racers[RACERS];
    int taken = 0;

    for (int i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){.journal = journal, .number = i};
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++) {
        pthread_join(racers[i].thread, NULL);
        taken += racers[i].taken;
    }
    assert_int_equal(taken, 20 * BUDGET_MOST); /* each was wanted 12 times */
    journal_close(journal);
}

/* ---- deaths ---- */

/* The child dies in its n-th call to the disk: before it, in the middle of it, or behind it. */
static int calls_left, where;

static void maybe_die(int now)
{
    if (calls_left == 0 && where == now)
        _exit(9);
}

static ssize_t dying_write(void *arg, int fd, const struct iovec *parts, int count)
{
    (void)arg;
    calls_left--;
    maybe_die(0);
    if (calls_left == 0 && where == 1) {
        (void)!writev(fd, parts, count / 2);
        _exit(9);
    }
    ssize_t got = writev(fd, parts, count);
    maybe_die(2);
    return got;
}

static int dying_sync(void *arg, int fd, bool metadata)
{
    (void)arg, (void)metadata;
    calls_left--;
    maybe_die(0);
    int result = fdatasync(fd);
    maybe_die(1);
    maybe_die(2);
    return result;
}

/* Claims and ends at random until it dies; each durable intent is told through the pipe. */
static void live_and_die(const char *directory, int pipe_end, unsigned seed, int first)
{
    struct journal_settings settings = *settings_for(directory);
    struct journal_io io = journal_io_system;
    char error[512];

    io.write = dying_write;
    io.sync = dying_sync;
    srandom(seed);
    calls_left = 1 + (int)(random() % 60);
    where = (int)(random() % 3);
    settings.segment_bytes = 6000;
    settings.queue = 64;
    struct journal *journal = journal_open_with(&settings, &io, 20, error, sizeof error);
    if (journal == NULL)
        _exit(8);
    struct end end = end_make(journal);
    for (int i = first; i < first + WISHES; i++) {
        const struct wish wish = {.stage = STAGE_INTENT,
                                  .request = i,
                                  .key = random() % 2 ? 0 : 1 + (int)(random() % KEYS),
                                  .twin = 1 + (int)(random() % TWINS),
                                  .budget = random() % 2 ? 0 : 1 + (int)(random() % BUDGETS),
                                  .breaker = false};
        static const char *const results[] = {NULL, "unknown", "not-sent"};
        int how = (int)(random() % 4);

        if (!claim_and_wait(end, &wish).durable)
            continue;
        if (write(pipe_end, &i, sizeof i) != sizeof i)
            _exit(7);
        if (how < 3)
            (void)end_and_wait(end, i, how == 2 ? RECORD_FALSE : RECORD_TRUE, results[how]);
    }
    _exit(0);
}

static bool add_text(void *arg, struct span part)
{
    text_add(arg, part.data, part.length);
    text_add(arg, "\n", 1);
    return true;
}

/* Reads every line of the journal but the `state` records, and holds what comes of it against what the
 * journal knows after its start. */
static void assert_nothing_forgotten(struct journal *journal, const char *path)
{
    struct directory directory = {.path = (char *)(uintptr_t)path};
    struct claims_state state = {0};
    struct text whole = {0}, known = {0};
    struct segment_name *names;
    int64_t now = clock_now_us();
    size_t count;

    assert_true(directory_list(&directory, &names, &count));
    for (size_t i = 0; i < count; i++) {
        char *file = directory_join(&directory, names[i].text), *line = NULL;
        FILE *stream = fopen(file, "r");
        size_t room = 0;
        ssize_t length;

        assert_non_null(stream);
        while ((length = getline(&line, &room, stream)) > 0) {
            const struct span text = {line, (size_t)length - 1};
            struct scan scan;

            assert_true(scan_line(text, &scan) && scan.fault == NULL);
            if (strstr(line, "\"stage\":\"state\"") == NULL)
                assert_null(claims_state_read(&state, text));
        }
        free(line);
        fclose(stream);
        free(file);
    }
    free(names);
    claims_state_sweep(&state, now);
    claims_state_sweep(&journal->claims, now);
    assert_true(claims_state_write(&state, add_text, &whole));
    assert_true(claims_state_write(&journal->claims, add_text, &known));
    assert_string_equal(known.data != NULL ? known.data : "", whole.data != NULL ? whole.data : "");
    text_free(&whole);
    text_free(&known);
    claims_state_free(&state);
}

/* Holds the records against the rules without anything of the program: never more of a budget than there is,
 * one use of a key, one of a twin at a time. */
static void assert_lawful(json_t *records)
{
    static struct {
        int key, twin, budget;
    } seen[LIVES * WISHES];
    int spent[BUDGETS + 1] = {0}, keys[KEYS + 1] = {0}, twins[TWINS + 1] = {0};

    memset(seen, 0, sizeof seen);
    for (size_t i = 0; i < json_array_size(records); i++) {
        json_t *record = json_array_get(records, i), *claimed = json_object_get(record, "claims"), *one;
        const char *stage = text_of(record, "stage"), *id = text_of(record, "request_id");
        int request = id[0] != '\0' ? atoi(strrchr(id, '-') + 1) : 0;
        size_t index;

        assert_in_range(request, 0, LIVES * WISHES - 1);
        if (strcmp(stage, "intent") == 0) {
            seen[request].key = seen[request].twin = seen[request].budget = 0;
            json_array_foreach (claimed, index, one) {
                const char *kind = text_of(one, "claim"), *scope = text_of(one, "scope");
                int number = atoi(strchr(scope, '-') + 1);

                if (strcmp(kind, "key") == 0)
                    keys[seen[request].key = number]++;
                else if (strcmp(kind, "twin") == 0)
                    twins[seen[request].twin = number]++;
                else
                    spent[seen[request].budget = number]++;
            }
            for (int n = 0; n <= BUDGETS; n++)
                assert_true(spent[n] <= BUDGET_MOST && (n > KEYS || keys[n] <= 1) &&
                            (n > TWINS || twins[n] <= 1));
        } else if (strcmp(stage, "outcome") == 0 && strcmp(text_of(record, "result"), "unknown") != 0) {
            bool back = json_is_false(json_object_get(record, "sent"));

            twins[seen[request].twin]--;
            if (back && seen[request].key > 0)
                keys[seen[request].key]--;
            if (back && seen[request].budget > 0)
                spent[seen[request].budget]--;
        }
    }
}

/* What is open after a death is settled as a reconciler would, now and then. */
static void settle_some(struct journal *journal)
{
    struct end end = end_make(journal);
    json_t *open = journal_take_open(journal), *intent;
    const char *id;

    json_object_foreach (open, id, intent) {
        if (random() % 3 > 0)
            assert_true(end_and_wait(end, atoi(strrchr(id, '-') + 1), RECORD_TRUE, NULL));
    }
    json_decref(open);
    end_free(end);
}

static void deaths_free_nothing_and_lose_nothing(void **state)
{
    int first = 0, told = 0;

    for (unsigned round = 0; round < LIVES; round++, first += WISHES) {
        int ends[2], request, status, acknowledged[WISHES] = {0};
        size_t count = 0;

        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(ends[0]);
            live_and_die(*state, ends[1], round, first);
        }
        close(ends[1]);
        while (read(ends[0], &request, sizeof request) == sizeof request)
            acknowledged[count++] = request;
        close(ends[0]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 8 && WEXITSTATUS(status) != 7);

        struct journal *journal = open_journal(*state, &journal_io_system, 16, 0);
        assert_nothing_forgotten(journal, *state);
        settle_some(journal);
        journal_close(journal);
        json_t *records = read_journal(*state);
        assert_gapless(records);
        assert_lawful(records);
        for (size_t i = 0; i < count; i++) {
            char id[ROOM];

            snprintf(id, sizeof id, "00000000-0000-4000-8000-%012d", acknowledged[i]);
            assert_int_equal(count_records(records, "intent", id), 1);
        }
        told += (int)count;
        json_decref(records);
    }
    assert_true(told > 5 * LIVES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(one_of_two_gets_it),
        SCRATCH_TEST(a_key_answers_what_was_answered),
        SCRATCH_TEST(an_end_is_the_same_when_it_is_read_again),
        SCRATCH_TEST(an_approval_is_used_once),
        SCRATCH_TEST(an_overrun_breaker_stays_shut),
        SCRATCH_TEST(a_record_must_say_what_it_claims),
        SCRATCH_TEST(what_was_not_written_is_given_back),
        SCRATCH_TEST(no_end_without_an_intent),
        SCRATCH_TEST(no_more_than_the_budget),
        SCRATCH_TEST(deaths_free_nothing_and_lose_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
