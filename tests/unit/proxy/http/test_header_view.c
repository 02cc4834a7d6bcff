#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/http/header_view.h"

#define HEADER "POST /rest/x?a=b HTTP/1.1\r\nHost: h\r\nAuthorization: \ttoken x \r\nEmpty:\r\n\r\n"

static void reads_a_header(void **state)
{
    struct arena arena;
    struct request request = {0};
    (void)state;

    arena_init(&arena);
    assert_true(header_view(span_of(HEADER "body: not a field\r\n"), 3, &arena, &request));
    assert_true(span_is(request.method, "POST"));
    assert_true(span_is(request.target, "/rest/x?a=b"));
    assert_int_equal(request.field_count, 3);
    assert_true(span_is(request.fields[1].name, "Authorization"));
    assert_true(span_is(request.fields[1].value, "token x"));
    assert_int_equal(request.fields[2].value.length, 0);
    arena_reset(&arena);
}

static void refuses_every_part_of_one(void **state)
{
    struct arena arena;
    struct request request;
    (void)state;

    arena_init(&arena);
    for (size_t length = 0; length < sizeof HEADER - 1; length++) {
        char part[sizeof HEADER];
        memcpy(part, HEADER, length);
        request = (struct request){0};
        if (header_view((struct span){part, length}, 3, &arena, &request))
            fail_msg("the first %zu bytes were taken for a header", length);
        arena_reset(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_a_header),
                                       cmocka_unit_test(refuses_every_part_of_one)};

    return cmocka_run_group_tests_name("header_view", tests, NULL, NULL);
}
