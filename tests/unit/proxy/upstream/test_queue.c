#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/upstream/queue.h"

#include <stdlib.h>

#define PLACES 64

static struct place places[PLACES];
static struct queue queue;

static int set_up(void **state)
{
    (void)state;
    queue_begin(&queue);
    for (size_t i = 0; i < PLACES; i++) {
        places[i] = (struct place){0};
        assert_true(queue_reserve(&queue));
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    while (queue_first(&queue) != NULL)
        queue_remove(&queue, queue_first(&queue));
    for (size_t i = 0; i < PLACES; i++)
        queue_release(&queue);
    queue_end(&queue);
    return 0;
}

/* Lets calls of these owners wait, one a letter; a capital stands for a firm one. */
static void add_all(const char *owners)
{
    for (size_t i = 0; owners[i] != '\0'; i++) {
        bool firm = owners[i] < 'a';
        uint64_t owner = (uint64_t)(firm ? owners[i] + 'a' - 'A' : owners[i]);
        /* All in one chain: it is the whole fingerprint that counts. */
        places[i].owner = (struct upstream_owner){{7 * QUEUE_CHAINS, owner}};
        places[i].firm = firm;
        queue_add(&queue, &places[i]);
    }
}

static size_t number_of(const struct place *place)
{
    assert_non_null(place);
    return (size_t)(place - places);
}

/* Serves all; the order must be that of these numbers. */
static void expect_order(const size_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct place *first = queue_first(&queue);
        assert_int_equal(number_of(first), numbers[i]);
        queue_remove(&queue, first);
    }
    assert_null(queue_first(&queue));
    assert_int_equal(queue.yielding, 0);
}

static void one_owner_first_in_first_out(void **state)
{
    const size_t order[] = {0, 1, 2, 3};
    (void)state;

    add_all("aaaa");
    expect_order(order, 4);
}

static void owners_take_turns(void **state)
{
    const size_t order[] = {0, 5, 6, 1, 7, 2, 3, 4};
    (void)state;

    add_all("aaaaabcb"); /* the one that comes last waits behind one of each */
    expect_order(order, 8);
}

static void a_turn_is_used_up_by_being_served(void **state)
{
    (void)state;

    add_all("aaa");
    queue_remove(&queue, queue_first(&queue)); /* 0 is served */
    places[3].owner.words[1] = 'b';
    queue_add(&queue, &places[3]);
    assert_int_equal(number_of(queue_first(&queue)), 1); /* b has come behind */
    queue_remove(&queue, queue_first(&queue));
    assert_int_equal(number_of(queue_first(&queue)), 3);
}

/* One that leaves from the middle of a line changes nothing for the others. */
static void leaving_from_the_middle(void **state)
{
    const size_t order[] = {0, 3, 2, 4};
    (void)state;

    add_all("aaabb");
    queue_remove(&queue, &places[1]);
    queue_remove(&queue, &places[1]); /* waits no more: nothing happens */
    expect_order(order, 4);
}

static void who_had_its_turn_goes_first(void **state)
{
    const size_t order[] = {3, 0, 2, 1};
    (void)state;

    add_all("aab");
    places[3].owner = places[2].owner;
    queue_add_first(&queue, &places[3]);
    expect_order(order, 4);
}

static void the_newest_of_the_longest_line_is_sent_away(void **state)
{
    (void)state;

    assert_null(queue_newest(&queue));
    add_all("abaca");
    assert_int_equal(queue.yielding, 5);
    assert_int_equal(number_of(queue_newest(&queue)), 4);
    queue_remove(&queue, &places[4]);
    assert_int_equal(number_of(queue_newest(&queue)), 2);
    queue_remove(&queue, &places[2]);
    queue_remove(&queue, &places[0]);
    size_t next = number_of(queue_newest(&queue)); /* of equals, any */
    assert_true(next == 1 || next == 3);
}

static void firm_ones_stay(void **state)
{
    (void)state;

    add_all("AAAAbA");
    assert_int_equal(queue.yielding, 1);
    assert_int_equal(number_of(queue_newest(&queue)), 4);
    queue_remove(&queue, &places[4]);
    assert_null(queue_newest(&queue));
    places[6].owner = places[0].owner;
    queue_add(&queue, &places[6]);
    places[7].owner = places[0].owner;
    places[7].firm = true;
    queue_add(&queue, &places[7]);
    assert_int_equal(number_of(queue_newest(&queue)), 6); /* behind it stands one that is firm */
}

/* Lines are made for as many as may wait, and used again. */
static void as_many_owners_as_places(void **state)
{
    (void)state;

    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < PLACES; i++) {
            places[i].owner = (struct upstream_owner){{i + round, round}};
            queue_add(&queue, &places[i]);
        }
        for (size_t i = 0; i < PLACES; i++) {
            assert_int_equal(number_of(queue_first(&queue)), i);
            queue_remove(&queue, &places[i]);
        }
    }
    assert_int_equal(queue.lines, PLACES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_owner_first_in_first_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(owners_take_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_turn_is_used_up_by_being_served, set_up, tear_down),
        cmocka_unit_test_setup_teardown(leaving_from_the_middle, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_had_its_turn_goes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_newest_of_the_longest_line_is_sent_away, set_up, tear_down),
        cmocka_unit_test_setup_teardown(firm_ones_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(as_many_owners_as_places, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
