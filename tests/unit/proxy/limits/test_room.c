#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/limits/room.h"

#include <pthread.h>

#define BEGAN 5000000000 /* some moment */

static void holds_as_many_as_it_has_room_for(void **state)
{
    struct room room = {.bound = 2};
    (void)state;

    assert_true(room_take(&room));
    assert_true(room_take(&room));
    assert_false(room_take(&room));
    assert_false(room_take(&room)); /* a refusal takes nothing */
    room_leave(&room);
    assert_true(room_take(&room));
    assert_false(room_take(&room));
}

static _Atomic unsigned inside, most;

static void *come_and_go(void *arg)
{
    for (int i = 0; i < 20000; i++) {
        if (!room_take(arg))
            continue;
        unsigned now = ++inside, seen = most;
        while (seen < now && !atomic_compare_exchange_weak(&most, &seen, now))
            ;
        inside--;
        room_leave(arg);
    }
    return NULL;
}

static void threads_never_exceed_it(void **state)
{
    struct room room = {.bound = 2};
    pthread_t threads[4];
    (void)state;

    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &room), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_in_range(most, 1, 2);
    assert_int_equal(room.taken, 0);
}

/* However often it fails meanwhile: one beginning, one end. */
static void an_episode_begins_and_ends_once(void **state)
{
    struct room room = {.bound = 2};
    int64_t now = BEGAN;
    (void)state;

    assert_false(room_recovers(&room, now));
    assert_true(room_fail(&room, now));
    for (int i = 0; i < 100; i++) {
        now += ROOM_QUIET_US - 1;
        assert_false(room_recovers(&room, now));
        assert_false(room_fail(&room, now));
    }
    assert_false(room_recovers(&room, now + ROOM_QUIET_US - 1));
    assert_true(room_recovers(&room, now + ROOM_QUIET_US));
    assert_false(room_recovers(&room, now + 9 * ROOM_QUIET_US));
    assert_true(room_fail(&room, now + 9 * ROOM_QUIET_US));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_as_many_as_it_has_room_for),
        cmocka_unit_test(threads_never_exceed_it),
        cmocka_unit_test(an_episode_begins_and_ends_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
