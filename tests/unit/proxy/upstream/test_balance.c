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
    size_t turn;
    const char *order; /* indexes */
    unsigned least;
    unsigned outstanding[4];
    bool may_probe, probe, wants_probe, all_up;
};

static const struct situation situations[] = {
    {"one", "u", 5, "0", 3, {3}, true, false, false, true},
    {"equals, in turn", "uuu", 0, "012", 0, {0}, true, false, false, true},
    {"equals, next turn", "uuu", 1, "120", 0, {0}, true, false, false, true},
    {"equals, a later turn", "uuu", 5, "201", 0, {0}, true, false, false, true},
    {"the fewest first", "uuu", 0, "120", 0, {2, 0, 1}, true, false, false, true},
    {"of equals the one in turn", "uuu", 1, "210", 0, {1, 1, 0}, true, false, false, true},
    {"ejected ones last", "ueu", 0, "021", 7, {7, 0, 9}, true, false, false, false},
    {"a read probes", "uru", 0, "102", 0, {0}, true, true, true, false},
    {"a change does not", "uru", 0, "021", 0, {0}, false, false, true, false},
    {"one probe at a time", "upu", 0, "021", 0, {0}, true, false, false, false},
    {"another one can be probed", "pru", 0, "120", 0, {0}, true, true, true, false},
    {"none is up, a read", "eer", 0, "201", UINT_MAX, {0}, true, true, true, false},
    {"none is up, a change", "eer", 0, "201", UINT_MAX, {0}, false, false, true, false},
    {"none is up, none returns", "eee", 0, "210", UINT_MAX, {2, 1, 0}, true, false, false, false},
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
