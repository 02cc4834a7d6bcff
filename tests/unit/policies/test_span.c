#include "policies/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define LONGEST     "a234567890123456789012345678901234567890123456789012345678901-3"
#define NAMES(NAME) NAME("te") NAME("expect") NAME("accept") NAME("x-1") NAME(LONGEST)
static const struct span_set set = SPAN_SET(NAMES);

static void names_of_a_set(void **state)
{
    static const struct {
        const char *name;
        size_t index;
    } cases[] = {
        {"te", 0},    {"TE", 0},  {"Expect", 1}, {"ACCEPT", 2},    {"X-1", 3},
        {LONGEST, 4}, {"x_1", 5}, {"", 5},       {"accept ", 5},   {"exceed", 5},
        {"t", 5},     {"tea", 5}, {"ac", 5},     {LONGEST "4", 5}, {LONGEST "+" LONGEST, 5},
    };
    (void)state;

    assert_int_equal(set.count, 5);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(span_set_find(&set, span_of(cases[i].name)), cases[i].index);
    assert_int_equal(span_set_find(&set, (struct span){NULL, 0}), 5);
}

static void a_copy_ends_where_the_span_does(void **state)
{
    static const char bytes[] = {'a', '\0', 'b', 'c'};
    char *copy = span_copy((struct span){bytes, 3});
    char *nothing = span_copy((struct span){NULL, 0});
    (void)state;

    assert_memory_equal(copy, "a\0b", 4);
    assert_string_equal(nothing, "");
    free(copy);
    free(nothing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_a_set),
        cmocka_unit_test(a_copy_ends_where_the_span_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
