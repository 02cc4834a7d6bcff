#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/upstream/balance.h"

#define NOW 1000

/* Addresses as letters: what is wrong with each, and how much it has to do. */
struct situation {
    const char *name;
    const char *states; /* 'u'p, 'e'jected, 'r'eturning, 'p': returning and probed already */
    unsigned outstanding[4];
    bool may_probe;
    size_t turn;
    const char *order; /* indexes */
    bool probe, wants_probe, all_up;
    unsigned least;
};

static const struct situation situations[] = {
    {"one", "u", {3}, true, 5, "0", false, false, true, 3},
    {"equals, in turn", "uuu", {0}, true, 0, "012", false, false, true, 0},
    {"equals, next turn", "uuu", {0}, true, 1, "120", false, false, true, 0},
    {"equals, a later turn", "uuu", {0}, true, 5, "201", false, false, true, 0},
    {"the fewest first", "uuu", {2, 0, 1}, true, 0, "120", false, false, true, 0},
    {"of equals the one in turn", "uuu", {1, 1, 0}, true, 1, "210", false, false, true, 0},
    {"ejected ones last", "ueu", {7, 0, 9}, true, 0, "021", false, false, false, 7},
    {"a read probes", "uru", {0}, true, 0, "102", true, true, false, 0},
    {"a change does not", "uru", {0}, false, 0, "021", false, true, false, 0},
    {"one probe at a time", "upu", {0}, true, 0, "021", false, false, false, 0},
    {"another one can be probed", "pru", {0}, true, 0, "120", true, true, false, 0},
    {"none is up, a read", "eer", {0}, true, 0, "201", true, true, false, UINT_MAX},
    {"none is up, a change", "eer", {0}, false, 0, "201", false, true, false, UINT_MAX},
    {"none is up, none returns", "eee", {2, 1, 0}, true, 0, "210", false, false, false, UINT_MAX},
};

static struct addresses *make(const struct situation *situation)
{
    struct addresses *addresses = addresses_new();

    for (size_t i = 0; situation->states[i] != '\0'; i++) {
        const struct sockaddr_in one = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(1000 + i))};
        assert_true(addresses_add(addresses, (const struct sockaddr *)&one, sizeof one, NULL));
        struct address *address = addresses->list[i];
        char state = situation->states[i];
        address->outstanding = situation->outstanding[i];
        address->ejected_until = state == 'u' ? 0 : state == 'e' ? NOW + 1 : NOW;
        address->probed = state == 'p';
    }
    return addresses;
}

static void plans(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof situations / sizeof *situations; i++) {
        const struct situation *row = &situations[i];
        struct addresses *addresses = make(row);
        char order[ADDRESSES_MOST + 1] = "";

        assert_int_equal(balance_all_up(addresses), row->all_up);
        assert_int_equal(balance_wants_probe(addresses, NOW), row->wants_probe);
        assert_int_equal(balance_least(addresses), row->least);
        struct balance_plan plan = balance_plan(addresses, row->may_probe, row->turn, NOW);
        for (size_t k = 0; k < addresses->count; k++)
            order[k] = (char)('0' + plan.order[k]);
        if (strcmp(order, row->order) != 0 || plan.probe != row->probe)
            print_error("%s: %s\n", row->name, order);
        assert_string_equal(order, row->order);
        assert_int_equal(plan.probe, row->probe);
        if (plan.probe) /* it is claimed: the next read goes elsewhere */
            assert_false(balance_plan(addresses, true, row->turn, NOW).probe);
        addresses_release(addresses);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
