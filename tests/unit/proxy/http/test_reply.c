#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/http/reply.h"

static void knows_json(void **state)
{
    static const struct {
        const char *type;
        bool json;
    } rows[] = {
        {"application/json", true},
        {"Application/JSON; charset=utf-8", true},
        {"application/vnd.api+json", true},
        {"application/vnd.api+json ;x=y", true},
        {"application/problem+JSON", true},
        {"text/plain", false},
        {"application/jsonp", false},
        {"+json", false},
        {"", false},
        {"text/html; x=application/json", false},
    };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (reply_is_json(span_of(rows[i].type)) != rows[i].json)
            fail_msg("\"%s\" taken for %s", rows[i].type, rows[i].json ? "no JSON" : "JSON");
}

static void writes_dates(void **state)
{
    char text[REPLY_DATE];
    (void)state;

    reply_date(784111777, text); /* the example of RFC 9110 */
    assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
    reply_date(0, text);
    assert_string_equal(text, "Thu, 01 Jan 1970 00:00:00 GMT");
}

static void writes_heads(void **state)
{
    struct text head = {0};
    (void)state;

    reply_begin(&head, 403);
    reply_field(&head, span_of("a"), span_of("b"));
    reply_field(&head, span_of("evil"), span_of("b\r\nset-cookie: x"));
    reply_field(&head, span_of("nul"), (struct span){"a\0b", 3});
    reply_begin(&head, 599);
    assert_string_equal(head.data, "HTTP/1.1 403 Forbidden\r\na: b\r\nHTTP/1.1 599 \r\n");
    text_free(&head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_json),
        cmocka_unit_test(writes_dates),
        cmocka_unit_test(writes_heads),
    };

    return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
