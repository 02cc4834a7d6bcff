#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/audit/query.h"
#include "proxy/audit/when.h"

static const char line[] =
    "{\"body\":{\"principal\":\"inner\",\"status\":500},\"operation\":\"updateIntegration\",\"organization\":"
    "\"11111111-2222-4333-8444-55555555abcd\",\"principal\":\"a \\\"quoted\\\" one\",\"request_id\":\"r-1\","
    "\"rule\":\"/rules/"
    "1\",\"seq\":7,\"stage\":\"outcome\",\"status\":404,\"time\":\"2026-01-31T12:00:00.000000Z\"}";

static struct scan scan;

static enum query_answer ask(const struct query *query)
{
    return query_match(query, (struct span){line, sizeof line - 1}, &scan);
}

static const struct {
    enum query_member member;
    const char *value;
    enum query_answer answer;
} members[] = {
    {QUERY_PRINCIPAL, "a \"quoted\" one", QUERY_YES},
    {QUERY_PRINCIPAL, "inner", QUERY_NO},
    {QUERY_PRINCIPAL, "a ", QUERY_NO},
    {QUERY_PRINCIPAL, "", QUERY_NO},
    {QUERY_OPERATION, "updateIntegration", QUERY_YES},
    {QUERY_OPERATION, "UPDATEINTEGRATION", QUERY_NO},
    {QUERY_ORGANIZATION, "11111111-2222-4333-8444-55555555abcd", QUERY_YES},
    {QUERY_ORGANIZATION, "11111111-2222-4333-8444-55555555ABCD", QUERY_YES},
    {QUERY_REQUEST_ID, "r-1", QUERY_YES},
    {QUERY_REQUEST_ID, "R-1", QUERY_NO},
    {QUERY_RULE, "/rules/1", QUERY_YES},
    {QUERY_STAGE, "outcome", QUERY_YES},
    {QUERY_STAGE, "intent", QUERY_NO},
    {QUERY_RESOURCE, "x", QUERY_NO},
};

static void test_members(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        struct query query = {0};

        assert_true(query_set(&query, members[i].member, members[i].value));
        if (ask(&query) != members[i].answer)
            fail_msg("%s", members[i].value);
        query_free(&query);
    }
}

static void test_status(void **state)
{
    static const struct {
        const char *status;
        bool good;
        enum query_answer answer;
    } rows[] = {
        {"404", true, QUERY_YES}, {"4xx", true, QUERY_YES}, {"500", true, QUERY_NO},
        {"5xx", true, QUERY_NO},  {"403", true, QUERY_NO},  {"", false, QUERY_NO},
        {"40x", false, QUERY_NO}, {"xxx", false, QUERY_NO}, {"4040", false, QUERY_NO},
        {"0xx", false, QUERY_NO}, {"4XX", false, QUERY_NO}, {"4 4", false, QUERY_NO},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct query query = {0};
        bool good = query_set_status(&query, rows[i].status);

        if (good != rows[i].good || (good && ask(&query) != rows[i].answer))
            fail_msg("%s", rows[i].status);
    }
}

static void test_time(void **state)
{
    struct query query = {.has_since = true, .has_until = true};
    int64_t noon;

    (void)state;
    assert_true(when_read(span_of("2026-01-31T12:00:00Z"), 0, &noon));
    query.since_us = noon;
    query.until_us = noon + 1;
    assert_int_equal(ask(&query), QUERY_YES);
    query.until_us = noon;
    assert_int_equal(ask(&query), QUERY_NO);
    query.until_us = noon + 2;
    query.since_us = noon + 1;
    assert_int_equal(ask(&query), QUERY_NO);
}

static void test_verdict_and_text(void **state)
{
    struct query query = {.verdict = QUERY_PASSED, .text = span_of("inner")};

    (void)state;
    assert_int_equal(ask(&query), QUERY_YES);
    query.text = span_of("outer");
    assert_int_equal(ask(&query), QUERY_NO);
    query = (struct query){.verdict = QUERY_REFUSED};
    assert_int_equal(ask(&query), QUERY_NO);
}

static void test_what_is_no_record(void **state)
{
    struct query query = {.text = span_of("garbage")};

    (void)state;
    assert_int_equal(query_match(&query, span_of("some garbage"), &scan), QUERY_UNREADABLE);
    assert_int_equal(query_match(&query, span_of("something else"), &scan), QUERY_NO);
}

/* By the time in a segment's name, an hour allowed for. */
static void test_segments_beyond(void **state)
{
    struct query query = {.has_until = true};

    (void)state;
    assert_true(when_read(span_of("2026-01-31T12:00:00Z"), 0, &query.until_us));
    assert_false(query_beyond(&query, "0000000000000001-20260131T115959Z.jsonl"));
    assert_false(query_beyond(&query, "0000000000000001-20260131T125959Z.jsonl"));
    assert_true(query_beyond(&query, "0000000000000001-20260131T130000Z.jsonl"));
    assert_false(query_beyond(&query, "0000000000000001-2026.jsonl"));
    assert_false(query_beyond(&query, "other.jsonl"));
    query.has_until = false;
    assert_false(query_beyond(&query, "0000000000000001-20260131T130000Z.jsonl"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_verdict_and_text),
        cmocka_unit_test(test_what_is_no_record),
        cmocka_unit_test(test_segments_beyond),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
