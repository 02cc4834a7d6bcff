#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/ship/syslog_message.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static const struct syslog_sender sender = {.host = "gate.example", .process = 42};

static void writes_messages(void **state)
{
    static const struct {
        const char *line, *header; /* the line follows the header */
    } rows[] = {
        {"{\"request_id\":\"r-1\",\"seq\":7,\"stage\":\"intent\",\"time\":\"2026-01-31T23:59:59.123456Z\"}",
         "<110>1 2026-01-31T23:59:59.123456Z gate.example portcullis 42 intent [portcullis@32473 seq=\"7\" "
         "request_id=\"r-1\"] "},
        {"{\"effect\":\"hard-delete\",\"seq\":1,\"stage\":\"intent\"}",
         "<109>1 - gate.example portcullis 42 intent [portcullis@32473 seq=\"1\"] "},
        {"{\"effect\":\"hard-delete\",\"seq\":1,\"stage\":\"outcome\"}",
         "<108>1 - gate.example portcullis 42 outcome [portcullis@32473 seq=\"1\"] "},
        {"{\"effect\":\"hard-delete\",\"result\":\"unknown\",\"seq\":1,\"stage\":\"outcome\"}",
         "<107>1 - gate.example portcullis 42 outcome [portcullis@32473 seq=\"1\"] "},
        {"{\"result\":\"unknown\",\"seq\":1,\"stage\":\"reconciled\"}",
         "<107>1 - gate.example portcullis 42 reconciled [portcullis@32473 seq=\"1\"] "},
        {"{\"effect\":\"update\",\"seq\":1,\"stage\":\"refused\"}",
         "<108>1 - gate.example portcullis 42 refused [portcullis@32473 seq=\"1\"] "},
        {"{\"effect\":\"update\",\"seq\":1,\"stage\":\"outcome\"}",
         "<110>1 - gate.example portcullis 42 outcome [portcullis@32473 seq=\"1\"] "},
        {"{\"seq\":1,\"stage\":\"missed\"}",
         "<107>1 - gate.example portcullis 42 missed [portcullis@32473 seq=\"1\"] "},
        /* What is not as it should be forges nothing. */
        {"{\"request_id\":\"a\\\"b\\\\c]d\",\"seq\":1}",
         "<110>1 - gate.example portcullis 42 - [portcullis@32473 seq=\"1\" "
         "request_id=\"a\\\"b\\\\c\\]d\"] "},
        {"{\"seq\":\"1\",\"stage\":\"in tent\",\"time\":\"\\n\"}",
         "<110>1 - gate.example portcullis 42 in [portcullis@32473] "},
        {"not JSON", "<107>1 - gate.example portcullis 42 - [portcullis@32473] "},
        {"[]", "<107>1 - gate.example portcullis 42 - [portcullis@32473] "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct text out = {0}, expected = {0};

        text_add_format(&expected, "%s%s", rows[i].header, rows[i].line);
        syslog_message_write(&sender, span_of(rows[i].line), &out);
        assert_string_equal(out.data, expected.data);
        text_clear(&out);
        syslog_message_write_short(&sender, span_of(rows[i].line), 1024, &out);
        assert_string_equal(out.data, expected.data);
        text_free(&out);
        text_free(&expected);
    }
}

static void leaves_out_host_names_that_are_none(void **state)
{
    static const struct syslog_sender rows[] = {{.host = "", .process = 1}, {.host = "\n", .process = 1}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct text out = {0};
        syslog_message_write(&rows[i], SPAN("{}"), &out);
        assert_string_equal(out.data, "<110>1 - - portcullis 1 - [portcullis@32473] {}");
        text_free(&out);
    }
}

/* A record with a body of `body` bytes and `more` members besides. */
static struct text long_record(size_t body, unsigned more)
{
    struct text line = {0};

    text_add_string(&line, "{\"body\":\"");
    for (size_t i = 0; i < body; i++)
        text_add_string(&line, "b");
    text_add_string(&line, "\",");
    for (unsigned i = 0; i < more; i++)
        text_add_format(&line, "\"member-%04u\":\"%030u\",", i, i);
    text_add_string(&line, "\"operation\":\"createIntegration\",\"seq\":9,\"stage\":\"intent\"}");
    return line;
}

static void shortens(void **state)
{
    static const struct {
        size_t body;
        unsigned more;
        size_t limit;
        const char *left_out; /* NULL: not compared */
        bool keeps_operation;
    } rows[] = {
        {5000, 0, 4096, "body", true}, {900, 0, 1024, "body", true},     {70000, 3, 8192, "body", true},
        {10, 300, 1024, NULL, false},  {100000, 300, 8192, NULL, false}, {10, 20, 1024, NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct text line = long_record(rows[i].body, rows[i].more), out = {0};

        syslog_message_write_short(&sender, (struct span){line.data, line.length}, rows[i].limit, &out);
        assert_false(out.failed);
        assert_in_range(out.length, 1, rows[i].limit);
        const char *message = strstr(out.data, "] {");
        assert_non_null(message);
        json_t *record = json_loads(message + 2, 0, NULL);
        assert_int_equal(json_integer_value(json_object_get(record, "seq")), 9);
        assert_true(json_object_get(record, "body") == NULL || rows[i].body < 100);
        if (rows[i].left_out != NULL)
            assert_string_equal(json_string_value(json_object_get(record, "left_out")), rows[i].left_out);
        if (rows[i].keeps_operation)
            assert_non_null(json_object_get(record, "operation"));
        json_decref(record);
        text_free(&line);
        text_free(&out);
    }
}

static void shortens_what_is_no_record(void **state)
{
    struct text line = {0}, out = {0};

    (void)state;
    for (int i = 0; i < 5000; i++)
        text_add_string(&line, "x");
    syslog_message_write_short(&sender, (struct span){line.data, line.length}, 1024, &out);
    assert_string_equal(out.data,
                        "<107>1 - gate.example portcullis 42 - [portcullis@32473] {\"left_out\":\"all\"}");
    text_free(&line);
    text_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_messages),
        cmocka_unit_test(leaves_out_host_names_that_are_none),
        cmocka_unit_test(shortens),
        cmocka_unit_test(shortens_what_is_no_record),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
