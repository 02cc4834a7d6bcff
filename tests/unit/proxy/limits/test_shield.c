#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/limits/shield.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define SECOND 1000000ll
#define BEGAN  (5000 * SECOND) /* some moment */

static struct upstream_owner of(const struct shield *shield, const char *authorization)
{
    return shield_fingerprint(shield, (struct span){authorization, strlen(authorization)});
}

static void holds_one_credential_for_the_time_asked(void **state)
{
    struct shield *shield = shield_new(60, 600);
    struct upstream_owner one = of(shield, "Token one"), two = of(shield, "Token two");
    int64_t seconds = 0;
    (void)state;

    assert_false(shield_is_up(shield));
    assert_int_equal(shield_left(shield, &one, BEGAN), 0);
    assert_true(shield_open(shield, &one, 7, BEGAN, &seconds));
    assert_int_equal(seconds, 7);
    assert_true(shield_is_up(shield));
    assert_int_equal(shield_left(shield, &one, BEGAN), 7 * SECOND);
    assert_int_equal(shield_left(shield, &one, BEGAN + 7 * SECOND - 1), 1);
    assert_int_equal(shield_left(shield, &one, BEGAN + 7 * SECOND), 0);
    assert_int_equal(shield_left(shield, &two, BEGAN), 0);
    shield_free(shield);
}

static void the_secret_counts_and_not_its_scheme(void **state)
{
    struct shield *shield = shield_new(60, 600), *other = shield_new(60, 600);
    struct upstream_owner one = of(shield, "Token one"), same = of(shield, "bearer  one"),
                          longer = of(shield, "Token one1"), elsewhere = of(other, "Token one");
    (void)state;

    assert_true(owner_equal(&one, &same));
    assert_false(owner_equal(&one, &longer));
    assert_false(owner_equal(&one, &elsewhere)); /* another key */
    shield_free(shield);
    shield_free(other);
}

static void bounds_what_is_asked(void **state)
{
    static const struct {
        int64_t asked, held;
    } rows[] = {{-1, 60}, {0, 1}, {1, 1}, {599, 599}, {600, 600}, {601, 600}, {9999999999, 600}};
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct shield *shield = shield_new(60, 600);
        struct upstream_owner one = of(shield, "Token one");
        int64_t seconds = 0;
        assert_true(shield_open(shield, &one, rows[i].asked, BEGAN, &seconds));
        assert_int_equal(seconds, rows[i].held);
        assert_int_equal(shield_left(shield, &one, BEGAN), rows[i].held * SECOND);
        shield_free(shield);
    }
}

static void none_where_the_longest_is_nothing(void **state)
{
    struct shield *shield = shield_new(60, 0);
    struct upstream_owner one = of(shield, "Token one");
    int64_t seconds;
    (void)state;

    assert_false(shield_open(shield, &one, 7, BEGAN, &seconds));
    assert_int_equal(shield_left(shield, &one, BEGAN), 0);
    assert_false(shield_is_up(shield));
    shield_free(shield);
}

/* Several answers of 429 to requests under way together: one opening, and the longest time counts. */
static void opens_once(void **state)
{
    struct shield *shield = shield_new(60, 600);
    struct upstream_owner one = of(shield, "Token one");
    int64_t seconds;
    (void)state;

    assert_true(shield_open(shield, &one, 10, BEGAN, &seconds));
    assert_false(shield_open(shield, &one, 5, BEGAN + SECOND, &seconds));
    assert_int_equal(shield_left(shield, &one, BEGAN + SECOND), 9 * SECOND);
    assert_false(shield_open(shield, &one, 20, BEGAN + SECOND, &seconds));
    assert_int_equal(shield_left(shield, &one, BEGAN + SECOND), 20 * SECOND);
    assert_true(shield_open(shield, &one, 5, BEGAN + 21 * SECOND, &seconds));
    shield_free(shield);
}

/* More than there is room for: the newest one is always held, and none that was not opened is. */
static void room_is_bounded(void **state)
{
    struct shield *shield = shield_new(60, 600);
    size_t held = 0;
    (void)state;

    for (unsigned i = 0; i < 4 * SHIELD_ROOM; i++) {
        struct upstream_owner one = owner_of(&(struct owner_key){{1, 2}}, (struct span){NULL, 0},
                                             (struct span){(const char *)&i, sizeof i});
        int64_t seconds;
        assert_true(shield_open(shield, &one, 100, BEGAN + i, &seconds));
        assert_int_equal(shield_left(shield, &one, BEGAN + i), 100 * SECOND);
    }
    for (unsigned i = 0; i < 8 * SHIELD_ROOM; i++) {
        struct upstream_owner one = owner_of(&(struct owner_key){{1, 2}}, (struct span){NULL, 0},
                                             (struct span){(const char *)&i, sizeof i});
        bool is_held = shield_left(shield, &one, BEGAN + 50 * SECOND) > 0;
        assert_true(i < 4 * SHIELD_ROOM || !is_held);
        held += is_held;
    }
    assert_int_equal(held, SHIELD_ROOM);
    shield_free(shield);
}

static struct shield *shared;
static _Atomic bool over;

/* Those that were never opened are never held, whatever happens to the slots meanwhile. */
static void *look_at_others(void *arg)
{
    unsigned found = 0;
    (void)arg;

    while (!over)
        for (unsigned i = 0; i < 4 * SHIELD_ROOM; i++) {
            struct upstream_owner other = {{i, ~(uint64_t)i - 1}};
            found += shield_left(shared, &other, BEGAN) > 0;
        }
    return (void *)(uintptr_t)found;
}

static void looks_while_it_is_written(void **state)
{
    pthread_t threads[2];
    (void)state;

    shared = shield_new(60, 600);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look_at_others, NULL), 0);
    for (unsigned i = 0; i < 100 * SHIELD_ROOM; i++) { /* halves of the others, in their sets */
        struct upstream_owner one = {{i % (4 * SHIELD_ROOM), ~(uint64_t)(i * 7 % (4 * SHIELD_ROOM))}};
        int64_t seconds;
        (void)shield_open(shared, &one, 100, BEGAN + i % 5, &seconds);
    }
    over = true;
    for (size_t i = 0; i < 2; i++) {
        void *found;
        assert_int_equal(pthread_join(threads[i], &found), 0);
        assert_null(found);
    }
    shield_free(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_one_credential_for_the_time_asked),
        cmocka_unit_test(the_secret_counts_and_not_its_scheme),
        cmocka_unit_test(bounds_what_is_asked),
        cmocka_unit_test(none_where_the_longest_is_nothing),
        cmocka_unit_test(opens_once),
        cmocka_unit_test(room_is_bounded),
        cmocka_unit_test(looks_while_it_is_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
