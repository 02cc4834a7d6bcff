/* What earlier runs left open, found in journals made by hand; and the cases made of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/audit/reconcile_queue.h"
#include "proxy/audit/reconcile_scan.h"
#include "tests/unit/proxy/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define SEGMENTS 8

/* A line of a segment, in one letter and the request id's: intent, outcome, outcome unknown, reconciled,
 * reconciled as unknown without a word why, reconciled as unknown for a reason, the mark, anything else. */
static void add_line(struct text *text, char what, char id, uint64_t seq)
{
    static const struct {
        char letter;
        const char *members;
    } lines[] = {
        {'i', "\"stage\":\"intent\""},
        {'o', "\"stage\":\"outcome\",\"status\":204"},
        {'u', "\"result\":\"unknown\",\"stage\":\"outcome\""},
        {'n', "\"result\":\"not-sent\",\"stage\":\"outcome\""},
        {'r', "\"detail\":\"x\",\"result\":\"absent\",\"stage\":\"reconciled\""},
        {'s', "\"result\":\"not-sent\",\"stage\":\"reconciled\""},
        {'w', "\"result\":\"unknown\",\"stage\":\"reconciled\""},
        {'k', "\"detail\":\"x\",\"result\":\"unknown\",\"stage\":\"reconciled\""},
        {'x', "\"stage\":\"refused\""},
    };

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (lines[i].letter == what)
            text_add_format(text, "{\"request_id\":\"%c\",\"seq\":%llu,%s}\n", id, (unsigned long long)seq,
                            lines[i].members);
}

/* Each text is a segment: "=" begins a run with it, "!" is the mark, "?" is no record; other lines are two
 * letters, and spaces are passed over. The last one is of the present run. `open`: the ids that must be
 * found. */
static const struct row {
    const char *segments[SEGMENTS];
    const char *open;
    bool any;
} rows[] = {
    {{"="}, "", false},
    {{"= ia"}, "", false}, /* the present run's own */
    {{"= ia oa", "="}, "", true},
    {{"= ia", "="}, "a", true},
    {{"= ia ua", "="}, "a", true},
    {{"= ia na", "="}, "", true},
    {{"= ia ra", "="}, "", true},
    {{"= ia ua ra", "="}, "", true},
    {{"= ia ua wa", "="}, "a", true},
    {{"= ia ua ka", "="}, "", true},
    {{"= ia sa", "="}, "", true},
    {{"= xa ia ib ob ic ud xe", "="}, "ac", true},
    {{"= ia ? ib", "="}, "ab", true},
    /* several segments of one run */
    {{"= ia ib", "oa", "ic", "="}, "bc", true},
    {{"= ia", "= wa", "= ib"}, "a", true},
    /* the run before the last one is read where the last one had not settled it */
    {{"= ia ib ib ob", "= ic", "="}, "ac", true},
    {{"= ia ib", "= ra ic", "="}, "bc", true},
    {{"= ia ib", "= ra kb !", "="}, "", true},
    {{"= ia ib", "= ra", "= kb", "="}, "", true},
    {{"= ia ib", "=", "=", "=", "= ra", "="}, "b", true},
    /* and no further than one that had: what lies before it is not even looked at */
    {{"= ia", "= ! ib", "= ic", "="}, "bc", true},
    {{"= ia", "=", "! ib", "= ic", "="}, "bc", true},
    {{"= ia", "= ib !", "="}, "b", true},
};

static uint64_t write_segment(struct folder *folder, const char *lines, uint64_t first, uint64_t *run)
{
    struct text text = {0};
    char name[64];
    uint64_t seq = first;

    if (*lines == '=')
        *run = first;
    text_add_format(&text, "{\"first_seq\":%llu,\"run\":%llu,\"seq\":%llu,\"stage\":\"segment\"}\n",
                    (unsigned long long)first, (unsigned long long)*run, (unsigned long long)seq++);
    for (const char *c = lines; *c != '\0'; c++) {
        if (*c == '!')
            text_add_format(&text, "{\"result\":\"settled\",\"seq\":%llu,\"stage\":\"recovered\"}\n",
                            (unsigned long long)seq++);
        else if (*c == '?')
            text_add_format(&text, "\"stage\":\"intent\" %llu\n", (unsigned long long)seq++);
        else if (*c != '=' && *c != ' ') {
            add_line(&text, c[0], c[1], seq++);
            c++;
        }
    }
    (void)snprintf(name, sizeof name, "%016llu-20260101T000000Z.jsonl", (unsigned long long)first);
    (void)folder_write(folder, name, text.data);
    text_free(&text);
    return seq;
}

static bool run_row(const struct row *row)
{
    struct folder folder = folder_make();
    char error[256] = "", found[32] = "";
    const char *fault = "", *id;
    enum reconcile_scan_state state;
    uint64_t seq = 1, run = 1;
    json_t *record;

    for (size_t i = 0; i < SEGMENTS && row->segments[i] != NULL; i++)
        seq = write_segment(&folder, row->segments[i], seq, &run);
    struct reconcile_scan *scan = reconcile_scan_open(folder.path, error, sizeof error);
    if (scan == NULL)
        fail_msg("%s", error);
    while ((state = reconcile_scan_step(scan, &fault)) == SCAN_MORE)
        ;
    assert_int_equal(state, SCAN_DONE);
    for (char c = 'a'; c <= 'z'; c++) {
        char name[2] = {c, '\0'};
        if (json_object_get(reconcile_scan_found(scan), name) != NULL)
            strcat(found, name);
    }
    json_object_foreach (reconcile_scan_found(scan), id, record) {
        assert_string_equal(json_string_value(json_object_get(record, "stage")), "intent");
    }
    bool right = strcmp(found, row->open) == 0 && reconcile_scan_any(scan) == row->any;
    if (!right)
        print_error("row %td: found \"%s\", not \"%s\"\n", row - rows, found, row->open);
    reconcile_scan_free(scan);
    folder_remove(&folder);
    return right;
}

static void finds_what_is_open(void **state)
{
    unsigned failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        failed += !run_row(&rows[i]);
    assert_int_equal(failed, 0);
}

static void needs_a_directory(void **state)
{
    char error[256] = "";

    (void)state;
    assert_null(reconcile_scan_open("/nowhere/at/all", error, sizeof error));
    assert_string_not_equal(error, "");
    reconcile_scan_free(NULL);
}

/* ---- cases ---- */

static void makes_a_case_of_a_record(void **state)
{
    json_t *intent = json_loads(
        "{\"body\":{\"data\":{\"attributes\":{\"credentials\":{\"password\":\"hmac-sha256:1:2\"},"
        "\"integration_type\":\"ecr\",\"list\":[1],\"profile_name\":\"mine\",\"scan\":true,"
        "\"token\":\"hmac-sha256:1:2\",\"nothing\":null}}},"
        "\"operation\":\"createIntegration\",\"organization\":\"o\",\"principal\":\"p\",\"request_id\":\"r\","
        "\"time\":\"2026-01-31T12:00:00.500000Z\",\"version\":\"v\"}",
        0, NULL);

    (void)state;
    struct reconcile_case *subject = reconcile_case_read(intent);
    json_decref(intent); /* the case stands alone */
    assert_true(span_is(subject->operation, "createIntegration"));
    assert_true(span_is(subject->organization, "o"));
    assert_true(span_is(subject->principal, "p"));
    assert_true(span_is(subject->request_id, "r"));
    assert_true(span_is(subject->version, "v"));
    assert_null(subject->resource.data);
    assert_int_equal(subject->intent_us, INT64_C(1769860800500000));
    assert_true(subject->hidden);
    json_t *wish = json_pack("{s:s,s:s,s:b,s:n}", "integration_type", "ecr", "profile_name", "mine", "scan",
                             1, "nothing");
    assert_true(json_equal(subject->wish, wish));
    json_decref(wish);
    reconcile_case_free(subject);
    reconcile_case_free(NULL);
}

static void makes_a_case_of_an_odd_record(void **state)
{
    static const char *const odd[] = {
        "{}",
        "{\"body\":1,\"time\":2,\"operation\":[],\"request_id\":null}",
        "{\"body\":{\"data\":[]}}",
        "{\"body\":{\"data\":{\"attributes\":\"x\"}},\"time\":\"now\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        json_t *intent = json_loads(odd[i], 0, NULL);
        struct reconcile_case *subject = reconcile_case_read(intent);
        assert_null(subject->operation.data);
        assert_int_equal(json_object_size(subject->wish), 0);
        assert_int_equal(subject->intent_us, 0);
        assert_false(subject->hidden);
        reconcile_case_free(subject);
        json_decref(intent);
    }
}

/* ---- the queue ---- */

static void bounds_the_queue(void **state)
{
    struct reconcile_queue *queue = reconcile_queue_new();
    struct reconcile_cases cases;
    struct reconcile_case *subject;
    unsigned count = 0;
    char id[16];

    (void)state;
    assert_non_null(queue);
    for (unsigned i = 0; i < RECONCILE_CASES + 2; i++) {
        (void)snprintf(id, sizeof id, "%u", i);
        const struct record_fields intent = {
            .request_id = span_of(id),
            .body = span_of("{\"data\":{\"attributes\":{\"profile_name\":\"x\"}}}")};
        reconcile_hand_over(queue, &intent);
    }
    reconcile_queue_take(queue, &cases);
    while ((subject = STAILQ_FIRST(&cases)) != NULL) {
        STAILQ_REMOVE_HEAD(&cases, next);
        (void)snprintf(id, sizeof id, "%u", count++);
        assert_true(span_is(subject->request_id, id));
        assert_int_equal(json_object_size(subject->wish), 1);
        reconcile_case_free(subject);
    }
    assert_int_equal(count, RECONCILE_CASES);

    /* What is left in it goes with it. */
    reconcile_hand_over(queue, &(struct record_fields){.body = span_of("no JSON")});
    reconcile_queue_free(queue);
    reconcile_queue_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_is_open),       cmocka_unit_test(needs_a_directory),
        cmocka_unit_test(makes_a_case_of_a_record), cmocka_unit_test(makes_a_case_of_an_odd_record),
        cmocka_unit_test(bounds_the_queue),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
