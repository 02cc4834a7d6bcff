#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/upstream/address.h"

#include <arpa/inet.h>

#define SECOND INT64_C(1000000)

static bool add(struct addresses *addresses, const char *text, uint16_t port, const struct addresses *known)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
        return addresses_add(addresses, (const struct sockaddr *)&four, sizeof four, known);
    assert_int_equal(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
    return addresses_add(addresses, (const struct sockaddr *)&six, sizeof six, known);
}

static void names_them(void **state)
{
    struct addresses *addresses = addresses_new();

    (void)state;
    assert_true(add(addresses, "192.0.2.1", 443, NULL));
    assert_true(add(addresses, "2001:db8::1", 65535, NULL));
    assert_true(add(addresses, "1111:2222:3333:4444:5555:6666:7777:8888", 65535, NULL));
    assert_string_equal(addresses->list[0]->text, "192.0.2.1:443");
    assert_string_equal(addresses->list[1]->text, "[2001:db8::1]:65535");
    assert_string_equal(addresses->list[2]->text, "[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
    addresses_release(addresses);
}

static void keeps_no_address_twice_and_not_too_many(void **state)
{
    struct addresses *addresses = addresses_new();
    char text[32];

    (void)state;
    for (int i = 0; i < 40; i++) {
        snprintf(text, sizeof text, "192.0.2.%d", i / 2);
        assert_true(add(addresses, text, 443, NULL));
    }
    assert_int_equal(addresses->count, ADDRESSES_MOST);
    assert_string_equal(addresses->list[1]->text, "192.0.2.1:443");
    addresses_release(addresses);
}

/* What is known of an address outlives a look-up; one that is gone is marked for those that are connected. */
static void replaces_lists(void **state)
{
    struct addresses *before = addresses_new(), *after = addresses_new();

    (void)state;
    assert_true(add(before, "192.0.2.1", 443, NULL));
    assert_true(add(before, "192.0.2.2", 443, NULL));
    assert_true(add(after, "192.0.2.3", 443, before));
    assert_true(add(after, "192.0.2.2", 443, before));
    addresses_replace(before, after);
    assert_ptr_equal(after->list[1], before->list[1]);
    struct address *gone = address_hold(before->list[0]);
    addresses_release(before);
    assert_false(gone->listed);
    assert_true(after->list[0]->listed && after->list[1]->listed);
    address_release(gone);
    addresses_release(after);
}

static void fail_times(struct address *address, const struct ejection *ejection, unsigned times, int64_t now)
{
    while (times-- > 0)
        address_failed(address, ejection, now);
}

static void ejects_after_failures_in_a_row(void **state)
{
    const struct ejection ejection = {3, 10}, never = {0, 10};
    struct addresses *addresses = addresses_new();

    (void)state;
    assert_true(add(addresses, "192.0.2.1", 443, NULL));
    struct address *address = addresses->list[0];
    fail_times(address, &ejection, 2, 1);
    address_succeeded(address);
    fail_times(address, &ejection, 2, 1);
    assert_int_equal(address_state(address, 1), ADDRESS_UP);
    address_failed(address, &ejection, 1);
    assert_int_equal(address_state(address, 1), ADDRESS_EJECTED);
    assert_int_equal(address_state(address, 10 * SECOND), ADDRESS_EJECTED);
    assert_int_equal(address_state(address, 1 + 10 * SECOND * 5 / 4), ADDRESS_RETURNING);
    address_succeeded(address);
    assert_int_equal(address_state(address, 1), ADDRESS_UP);
    assert_int_equal(address->failures_total, 5);
    assert_int_equal(address->ejections_total, 1);
    fail_times(address, &never, 1000, 1);
    assert_int_equal(address_state(address, 1), ADDRESS_UP);
    addresses_release(addresses);
}

/* Each time twice as long, at most a quarter more, up to five minutes; from the beginning after an answer. */
static void ejects_longer_each_time(void **state)
{
    static const int64_t seconds[] = {10, 20, 40, 80, 160, 300, 300};
    const struct ejection ejection = {3, 10}, long_one = {1, 3600};
    struct addresses *addresses = addresses_new();
    int64_t now = 1;

    (void)state;
    assert_true(add(addresses, "192.0.2.1", 443, NULL));
    assert_true(add(addresses, "192.0.2.2", 443, NULL));
    struct address *address = addresses->list[0];
    for (int round = 0; round < 2; round++) {
        fail_times(address, &ejection, 2, now);
        for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
            address_failed(address, &ejection, now);
            int64_t time = address->ejected_until - now;
            assert_in_range(time, seconds[i] * SECOND, seconds[i] * SECOND * 5 / 4);
            fail_times(address, &ejection, 5, now + time - 1); /* too late to count */
            assert_int_equal(address->ejected_until, now + time);
            now += time;
        }
        address_succeeded(address);
    }
    address_failed(addresses->list[1], &long_one, now);
    assert_in_range(addresses->list[1]->ejected_until - now, 3600 * SECOND, 4500 * SECOND);
    addresses_release(addresses);
}

static void times_differ(void **state)
{
    const struct ejection ejection = {1, 10};
    struct addresses *addresses = addresses_new();
    int64_t first = 0;
    bool differ = false;

    (void)state;
    assert_true(add(addresses, "192.0.2.1", 443, NULL));
    for (int i = 0; i < 100; i++) {
        address_failed(addresses->list[0], &ejection, 1);
        int64_t until = addresses->list[0]->ejected_until;
        differ = differ || (first != 0 && until != first);
        first = until;
        address_succeeded(addresses->list[0]);
    }
    assert_true(differ);
    addresses_release(addresses);
}

static void lets_one_probe_through(void **state)
{
    struct addresses *addresses = addresses_new();

    (void)state;
    assert_true(add(addresses, "192.0.2.1", 443, NULL));
    assert_true(address_claim_probe(addresses->list[0]));
    assert_false(address_claim_probe(addresses->list[0]));
    address_end_probe(addresses->list[0]);
    assert_true(address_claim_probe(addresses->list[0]));
    addresses_release(addresses);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_them),
        cmocka_unit_test(keeps_no_address_twice_and_not_too_many),
        cmocka_unit_test(replaces_lists),
        cmocka_unit_test(ejects_after_failures_in_a_row),
        cmocka_unit_test(ejects_longer_each_time),
        cmocka_unit_test(times_differ),
        cmocka_unit_test(lets_one_probe_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
