#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "proxy/observe/label_set.h"

static void finds_what_it_has(void **state)
{
    static struct label_set set;
    (void)state;

    assert_int_equal(label_set_find(&set, 4, "a"), 0);
    assert_int_equal(label_set_find(&set, 4, "b"), 1);
    assert_int_equal(label_set_find(&set, 4, "a"), 0);
    assert_int_equal(label_set_find(&set, 4, NULL), 2);
    assert_int_equal(label_set_find(&set, 4, "none"), 2);
    assert_int_equal(label_set_find(&set, 4, "b"), 1);
    assert_int_equal(label_set_count(&set), 3);
    assert_string_equal(label_set_value(&set, 1), "b");
    assert_string_equal(label_set_value(&set, 2), "none");
    assert_string_equal(label_set_value(&set, 3), "other");
}

/* A prefix is another value, also of the one found last. */
static void tells_prefixes_apart(void **state)
{
    static struct label_set set;
    (void)state;

    assert_int_equal(label_set_find(&set, 4, "getIntegrationSettings"), 0);
    assert_int_equal(label_set_find(&set, 4, "getIntegration"), 1);
    assert_int_equal(label_set_find(&set, 4, "getIntegrationSettings"), 0);
    assert_int_equal(label_set_find(&set, 4, ""), 2);
}

static void holds_no_more_than_it_may(void **state)
{
    static struct label_set small, large;
    char value[16];
    (void)state;

    for (unsigned i = 0; i < 100; i++) {
        (void)snprintf(value, sizeof value, "v%u", i);
        assert_int_equal(label_set_find(&small, 3, value), i < 3 ? i : 3);
        assert_int_equal(label_set_find(&large, LABEL_SET_VALUES, value),
                         i < LABEL_SET_VALUES ? i : LABEL_SET_VALUES);
    }
    assert_int_equal(label_set_find(&small, 3, "v1"), 1);
    assert_string_equal(label_set_value(&small, 3), "other");
    assert_string_equal(label_set_value(&large, LABEL_SET_VALUES), "other");
}

static void cuts_long_values(void **state)
{
    static struct label_set set;
    char value[2 * LABEL_BYTES];
    (void)state;

    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    assert_int_equal(label_set_find(&set, 4, value), 0);
    assert_int_equal(strlen(label_set_value(&set, 0)), LABEL_BYTES - 1);
    assert_int_equal(label_set_find(&set, 4, value), 0);
    assert_int_equal(label_set_count(&set), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_it_has),
        cmocka_unit_test(tells_prefixes_apart),
        cmocka_unit_test(holds_no_more_than_it_may),
        cmocka_unit_test(cuts_long_values),
    };

    return cmocka_run_group_tests_name("label_set", tests, NULL, NULL);
}
