#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/limits/address_count.h"

#include <pthread.h>
#include <stdio.h>

static struct ip_address of(const char *text)
{
    struct ip_address address;

    assert_true(ip_address_parse(span_of(text), &address));
    return address;
}

static void bounds_each_address(void **state)
{
    struct address_count *count = address_count_new(2);
    struct ip_address one = of("192.0.2.1"), other = of("192.0.2.2");
    struct address_place *places[4];

    (void)state;
    assert_true(address_count_enter(count, &one, &places[0]));
    assert_true(address_count_enter(count, &one, &places[1]));
    assert_false(address_count_enter(count, &one, &places[2]));
    assert_null(places[2]);
    assert_true(address_count_enter(count, &other, &places[2]));
    assert_true(address_place_is(places[0], &one));
    assert_false(address_place_is(places[0], &other));
    assert_false(address_place_is(NULL, &one));
    address_count_leave(count, places[0]);
    assert_true(address_count_enter(count, &one, &places[0]));
    assert_false(address_count_enter(count, &one, &places[3]));
    for (size_t i = 0; i < 3; i++)
        address_count_leave(count, places[i]);
    address_count_leave(count, NULL);
    assert_true(address_count_enter(count, &one, &places[0])); /* still there when the table goes */
    address_count_free(count);
}

static void counts_a_network_of_ipv6_as_one(void **state)
{
    struct address_count *count = address_count_new(1);
    struct ip_address one = of("2001:db8:0:1::1"), near = of("2001:db8:0:1:ffff::2"),
                      far = of("2001:db8:0:2::1");
    struct ip_address four = of("192.0.2.1"), next = of("192.0.2.2");
    struct address_place *places[4], *none;

    (void)state;
    assert_true(address_count_enter(count, &one, &places[0]));
    assert_false(address_count_enter(count, &near, &none));
    assert_true(address_place_is(places[0], &near));
    assert_true(address_count_enter(count, &far, &places[1]));
    assert_true(address_count_enter(count, &four, &places[2]));
    assert_true(address_count_enter(count, &next, &places[3]));
    for (size_t i = 0; i < 4; i++)
        address_count_leave(count, places[i]);
    address_count_free(count);
}

static void without_a_bound_counts_nothing(void **state)
{
    struct address_count *count = address_count_new(0);
    struct ip_address one = of("192.0.2.1");
    struct address_place *place;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_true(address_count_enter(count, &one, &place));
        assert_null(place);
    }
    address_count_free(count);
}

#define ADDRESSES 20000

/* Many at once: more than there are buckets, all found again. */
static void holds_many(void **state)
{
    static struct address_place *places[ADDRESSES];
    struct address_count *count = address_count_new(1);
    struct address_place *none;
    char text[32];

    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < ADDRESSES; i++) {
            (void)snprintf(text, sizeof text, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
            struct ip_address address = of(text);
            assert_true(address_count_enter(count, &address, &places[i]));
            assert_false(address_count_enter(count, &address, &none));
        }
        for (unsigned i = 0; i < ADDRESSES; i++)
            address_count_leave(count, places[i]);
    }
    address_count_free(count);
}

#define THREADS 4
#define TURNS   20000

struct party {
    struct address_count *count;
    _Atomic int inside;
    _Atomic int most;
};

static void *come_and_go(void *arg)
{
    struct party *party = arg;
    struct ip_address one = of("192.0.2.1");
    struct address_place *place;

    for (int i = 0; i < TURNS; i++) {
        if (!address_count_enter(party->count, &one, &place))
            continue;
        int now = ++party->inside;
        if (now > party->most)
            party->most = now;
        party->inside--;
        address_count_leave(party->count, place);
    }
    return NULL;
}

static void bounds_over_all_threads(void **state)
{
    struct party party = {.count = address_count_new(2)};
    pthread_t threads[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &party), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_in_range(party.most, 1, 2);
    address_count_free(party.count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_each_address),
        cmocka_unit_test(counts_a_network_of_ipv6_as_one),
        cmocka_unit_test(without_a_bound_counts_nothing),
        cmocka_unit_test(holds_many),
        cmocka_unit_test(bounds_over_all_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
