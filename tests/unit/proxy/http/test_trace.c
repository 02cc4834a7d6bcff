#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/http/trace.h"

#define GOOD "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

static void continues_or_begins(void **state)
{
    static const struct {
        const char *received;
        bool continued;
    } rows[] = {
        {GOOD, true},
        {NULL, false},
        {"", false},
        {"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", false}, /* upper case is not the form */
        {"00-00000000000000000000000000000000-b7ad6b7169203331-01", false},
        {"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false},
        {"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true}, /* later versions begin alike */
        {"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes", true},
        {"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.what-comes", false},
        {"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes", false},
        {"0x-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false},
        {"00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0G", false},
        {"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false},
        {GOOD "-more", false},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0", false},
        {"00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01", false},
    };
    struct entropy entropy = {.left = 0};
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct trace trace, again;
        trace_begin(&trace, span_of(rows[i].received), &entropy);
        assert_int_equal(trace.continued, rows[i].continued);
        assert_int_equal(strlen(trace.parent), 55);
        trace_begin(&again, span_of(trace.parent), &entropy);
        assert_true(again.continued); /* what we send is well-formed */
        assert_true(span_equal(trace_id(&trace), trace_id(&again)));
        assert_memory_not_equal(trace.parent + 36, again.parent + 36,
                                16); /* a parent id of its own each time */
    }
}

/* The id stays; of the flags, the one that is defined; the version is ours. */
static void keeps_id_and_sampling(void **state)
{
    static const struct {
        const char *flags, *sent;
    } rows[] = {{"00", "-00"}, {"01", "-01"}, {"03", "-01"}, {"fe", "-00"}, {"ff", "-01"}};
    struct entropy entropy = {.left = 0};
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char received[] = GOOD;
        struct trace trace;
        memcpy(received, i % 2 ? "00" : "a1", 2);
        memcpy(received + 53, rows[i].flags, 2);
        trace_begin(&trace, span_of(received), &entropy);
        assert_memory_equal(trace.parent, GOOD, 36);
        assert_string_equal(trace.parent + 52, rows[i].sent);
    }
}

static void makes_uuids(void **state)
{
    struct entropy entropy = {.left = 0};
    char first[UUID_TEXT], next[UUID_TEXT];
    (void)state;

    entropy_uuid(&entropy, first);
    for (int i = 0; i < 1000; i++) {
        entropy_uuid(&entropy, next);
        assert_int_equal(strlen(next), 36);
        assert_int_equal(next[14], '4');
        assert_non_null(strchr("89ab", next[19]));
        assert_string_not_equal(first, next);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(continues_or_begins),
        cmocka_unit_test(keeps_id_and_sampling),
        cmocka_unit_test(makes_uuids),
    };

    return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
