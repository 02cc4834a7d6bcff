#include "proxy/audit/scan.h"
#include "tests/unit/proxy/audit/support.h"

/* Every member at once: the record must come out sorted, compact, with seq in its place. */
static const struct record_fields everything = {
    .stage = STAGE_OUTCOME,
    .time_us = 1769903999123456,
    .answer = {"{\"b\":2}", 7},
    .answer_digest = {"hmac-sha256:x", 13},
    .body = {"{\"a\":[1,null]}", 14},
    .cause = {"signal", 6},
    .changes = {"{}", 2},
    .client = {"127.0.0.1", 9},
    .certificate = {"dns:ci", 6},
    .credential = {"gate", 4},
    .identity = {"both", 4},
    .detail = {"d", 1},
    .edge = {"[\"00\"]", 6},
    .effect = {"hard-delete", 11},
    .gate = {"permission", 10},
    .key = {"k", 1},
    .key_before = {"k0", 2},
    .level = {"request", 7},
    .method = {"DELETE", 6},
    .operation = {"op", 2},
    .organization = {"org", 3},
    .origin = {"portcullis/x", 12},
    .policy = {"sha256:00", 9},
    .principal = {"p\"q\n", 4},
    .request_id = {"r", 1},
    .resource = {"res", 3},
    .result = {"unknown", 7},
    .root = {"ab", 2},
    .rule = {"/organizations/x", 16},
    .segment = {"s", 1},
    .target = {"/rest", 5},
    .trace_id = {"0af7", 4},
    .upstream_request_id = {"u", 1},
    .version = {"2024-10-15", 10},
    .answer_bytes = {true, 11},
    .bytes = {true, 1},
    .count = {true, 2},
    .duration_us = {true, 0},
    .first_seq = {true, 4},
    .format = {true, 5},
    .last_seq = {true, 8},
    .open_from = {true, 9},
    .tree_size = {true, 10},
    .principals = {true, 6},
    .run = {true, 7},
    .status = {true, 204},
    .uid = {true, 12},
    .upstream_status = {true, 502},
    .sent = RECORD_TRUE,
};

/* The hash that every line here says it follows: 00 01 02 … */
#define PREV "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static const char everything_line[] =
    "{\"answer\":{\"b\":2},\"answer_bytes\":11,\"answer_digest\":\"hmac-sha256:x\",\"body\":{\"a\":[1,null]},"
    "\"bytes\":1,\"cause\":\"signal\",\"certificate\":\"dns:ci\",\"changes\":{},\"client\":\"127.0.0.1\","
    "\"count\":2,\"credential\":"
    "\"gate\","
    "\"detail\":\"d\","
    "\"duration_us\":0,\"edge\":[\"00\"],\"effect\":\"hard-delete\",\"first_seq\":4,\"format\":5,\"gate\":"
    "\"permission\",\"identity\":\"both\","
    "\"key\":\"k\",\"key_before\":\"k0\",\"last_seq\":8,\"level\":\"request\",\"method\":\"DELETE\",\"open_"
    "from\":9,\"operation\":\"op\",\"organization\":\"org\","
    "\"origin\":\"portcullis/x\",\"policy\":\"sha256:00\",\"prev\":\"" PREV "\","
    "\"principal\":\"p\\\"q\\n\",\"principals\":6,\"request_id\":\"r\",\"resource\":\"res\",\"result\":"
    "\"unknown\",\"root\":\"ab\","
    "\"rule\":\"/organizations/x\",\"run\":7,\"segment\":\"s\",\"sent\":true,\"seq\":18446744073709551615,"
    "\"stage\":\"outcome\",\"status\":204,\"target\":\"/"
    "rest\",\"time\":\"2026-01-31T23:59:59.123456Z\",\"trace_id\":\"0af7\",\"tree_size\":10,\"uid\":12,"
    "\"upstream_request_id\":\"u\",\"upstream_status\":502,\"version\":\"2024-10-15\"}\n";

/* The record's line. */
static struct text line_of(const struct record_fields *fields, uint64_t seq)
{
    struct iovec parts[RECORD_PARTS];
    char scratch[RECORD_SCRATCH];
    struct record record = {0};
    struct text line = {0};
    struct tree_hash prev;

    assert_true(tree_hash_read(span_of(PREV), &prev));
    assert_true(record_build(fields, &record));
    size_t length = record_splice(&record, seq, &prev, scratch, parts);
    for (size_t i = 0; i < RECORD_PARTS; i++)
        text_add(&line, parts[i].iov_base, parts[i].iov_len);
    assert_int_equal(line.length, length);
    record_free(&record);
    assert_null(record.text.data);
    return line;
}

static void writes_every_member_in_order(void **state)
{
    (void)state;
    struct text line = line_of(&everything, UINT64_MAX);

    assert_string_equal(line.data, everything_line);
    text_free(&line);
}

static void names_are_sorted(void **state)
{
    (void)state;
    struct text line = line_of(&everything, 3);
    json_t *record = json_loadb(line.data, line.length, JSON_REJECT_DUPLICATES, NULL), *value;
    const char *before = "", *name;

    assert_non_null(record);
    json_object_foreach (record, name, value) {
        assert_true(strcmp(before, name) < 0);
        before = name;
    }
    assert_int_equal(seq_of(record), 3);

    /* What jansson makes of it, sorted and compact, is what we wrote. */
    char *canonical = json_dumps(record, JSON_SORT_KEYS | JSON_COMPACT);
    assert_int_equal(strlen(canonical), line.length - 1);
    assert_memory_equal(canonical, line.data, line.length - 1);
    free(canonical);
    json_decref(record);
    text_free(&line);
}

static void leaves_out_what_is_not_given(void **state)
{
    (void)state;
    static const struct {
        struct record_fields fields;
        const char *line;
    } rows[] = {
        {{.stage = STAGE_START},
         "{\"prev\":\"" PREV "\",\"seq\":7,\"stage\":\"start\",\"time\":\"1970-01-01T00:00:00.000000Z\"}\n"},
        {{.stage = STAGE_MISSED, .count = {true, 0}},
         "{\"count\":0,\"prev\":\"" PREV
         "\",\"seq\":7,\"stage\":\"missed\",\"time\":\"1970-01-01T00:00:00.000000Z\"}\n"},
        {{.stage = STAGE_INTENT, .principal = {"", 0}, .sent = RECORD_FALSE},
         "{\"prev\":\"" PREV
         "\",\"principal\":\"\",\"sent\":false,\"seq\":7,\"stage\":\"intent\",\"time\":\"1970-01-01T00:00:00."
         "000000Z\"}\n"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct text line = line_of(&rows[i].fields, 7);

        assert_string_equal(line.data, rows[i].line);
        text_free(&line);
    }
}

/* Nothing that a client sends can end a line early or make it something else than JSON. */
static void hostile_text_stays_one_line(void **state)
{
    (void)state;
    static const char hostile[] = "\"}\n{\"seq\":1,\x00\x1f\xff\xc0\x80\xed\xa0\x80\\";
    struct record_fields fields = {.stage = STAGE_REFUSED, .detail = {hostile, sizeof hostile - 1}};
    struct text line = line_of(&fields, 1);

    assert_ptr_equal(memchr(line.data, '\n', line.length), line.data + line.length - 1);
    json_t *record = json_loadb(line.data, line.length, JSON_ALLOW_NUL, NULL);
    assert_non_null(record);
    assert_string_equal(text_of(record, "stage"), "refused");
    json_decref(record);
    text_free(&line);
}

static void every_stage_has_a_name(void **state)
{
    (void)state;
    for (int stage = 0; stage < STAGES; stage++) {
        struct text line = line_of(&(struct record_fields){.stage = (enum record_stage)stage}, 1);

        assert_null(strstr(line.data, "\"stage\":\"\""));
        text_free(&line);
    }
}

/* Whoever has the record need not read its line to know these. */
static void kept_members_are_those_of_the_line(void **state)
{
    static const struct {
        enum record_kept member;
        const char *name;
    } rows[] = {{RECORD_CLAIMS, "claims"},
                {RECORD_REPLAY, "replay"},
                {RECORD_REQUEST_ID, "request_id"},
                {RECORD_RESULT, "result"}};
    struct record_fields fields = everything;
    struct record record = {0}, bare = {0};
    struct scan scan;

    (void)state;
    fields.claims = SPAN("[{\"claim\":\"twin\"}]");
    fields.replay = SPAN("{}");
    fields.sent = RECORD_FALSE;
    assert_true(record_build(&fields, &record));
    assert_true(record_build(&(struct record_fields){.stage = STAGE_STOP}, &bare));
    assert_true(scan_line((struct span){record.text.data, record.text.length - 1}, &scan));
    for (size_t i = 0; i < RECORD_KEPT; i++) {
        struct span kept = record_kept(&record, rows[i].member), member = scan_find(&scan, rows[i].name);

        assert_non_null(member.data);
        assert_ptr_equal(kept.data, member.data);
        assert_int_equal(kept.length, member.length);
        assert_null(record_kept(&bare, rows[i].member).data);
    }
    assert_int_equal(record.time_us, everything.time_us);
    assert_int_equal(record.stage, everything.stage);
    assert_int_equal(record.status, everything.status.value);
    assert_int_equal(record.upstream_status, everything.upstream_status.value);
    assert_false(record.sent);
    assert_int_equal(bare.status, 0);
    assert_int_equal(bare.upstream_status, 0);
    assert_true(bare.sent);
    record_free(&record);
    record_free(&bare);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_every_member_in_order), cmocka_unit_test(names_are_sorted),
        cmocka_unit_test(leaves_out_what_is_not_given), cmocka_unit_test(hostile_text_stays_one_line),
        cmocka_unit_test(every_stage_has_a_name),       cmocka_unit_test(kept_members_are_those_of_the_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
