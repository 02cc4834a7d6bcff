#include "policies/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void names_in_a_list(void **state)
{
    static const struct span list[] = {SPAN_INIT("te"), SPAN_INIT("expect"), SPAN_INIT("accept"),
                                       SPAN_INIT("x-1")};
    static const struct {
        const char *text;
        size_t index;
    } cases[] = {
        {"te", 0}, {"TE", 0},      {"Expect", 1}, {"ACCEPT", 2}, {"X-1", 3}, {"x_1", 4},
        {"", 4},   {"accept ", 4}, {"exceed", 4}, {"t", 4},      {"tea", 4},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(span_index_nocase(span_of(cases[i].text), list, sizeof list / sizeof *list),
                         cases[i].index);
    assert_int_equal(span_index_nocase(span_of("te"), list, 0), 0);
    assert_int_equal(span_index_nocase((struct span){NULL, 0}, list, 4), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_in_a_list)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
