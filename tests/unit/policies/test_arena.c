#include "policies/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define ROOM 256

struct owner {
    struct arena arena;
    _Alignas(max_align_t) char room[ROOM];
    char behind;
};

static bool is_within(const struct owner *owner, const char *taken)
{
    return taken >= owner->room && taken < owner->room + ROOM;
}

static void the_owners_room_comes_first(void **state)
{
    struct owner owner = {.behind = 'x'};
    (void)state;

    arena_init_within(&owner.arena, owner.room, sizeof owner.room);
    for (size_t i = 0; i < 2 * ROOM / 32; i++) {
        char *taken = arena_take(&owner.arena, 17); /* rounded up to 32 */
        assert_non_null(taken);
        assert_int_equal((uintptr_t)taken % _Alignof(max_align_t), 0);
        assert_int_equal(is_within(&owner, taken), i < ROOM / 32);
        memset(taken, 's', 17);
    }
    arena_reset(&owner.arena);
    for (size_t i = 0; i < ROOM; i++)
        assert_int_equal(owner.room[i], 0);
    assert_int_equal(owner.behind, 'x');
    assert_true(is_within(&owner, arena_take(&owner.arena, ROOM)));
    arena_reset(&owner.arena);
}

static void what_was_taken_is_wiped_without_another_block_too(void **state)
{
    struct owner owner = {.behind = 'x'};
    (void)state;

    arena_init_within(&owner.arena, owner.room, sizeof owner.room);
    struct span copy = arena_copy(&owner.arena, SPAN("a secret"));
    assert_true(span_is(copy, "a secret") && is_within(&owner, copy.data));
    assert_int_equal(copy.data[copy.length], '\0');
    arena_reset(&owner.arena);
    for (size_t i = 0; i < ROOM; i++)
        assert_int_equal(owner.room[i], 0);
}

static void texts_keep_what_they_say_however_many(void **state)
{
    struct arena arena;
    const char *texts[3000];
    char expected[32];
    (void)state;

    arena_init(&arena);
    for (unsigned i = 0; i < 3000; i++) {
        texts[i] = arena_format(&arena, "text %u", i);
        assert_non_null(texts[i]);
    }
    for (unsigned i = 0; i < 3000; i++) {
        (void)snprintf(expected, sizeof expected, "text %u", i);
        assert_string_equal(texts[i], expected);
    }
    arena_reset(&arena);
    arena_reset(&arena);
}

static void any_size_or_none(void **state)
{
    static const size_t sizes[] = {0, 1, 511, 512, 513, 8191, 8192, 8193, 1000000};
    struct arena arena;
    (void)state;

    arena_init(&arena);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *taken = arena_take(&arena, sizes[i]);
        assert_non_null(taken);
        memset(taken, 'x', sizes[i]);
    }
    assert_null(arena_take(&arena, SIZE_MAX));
    assert_null(arena_take(&arena, SIZE_MAX / 2 + 1));
    assert_non_null(arena_take(&arena, 1));
    arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_owners_room_comes_first),
        cmocka_unit_test(what_was_taken_is_wiped_without_another_block_too),
        cmocka_unit_test(texts_keep_what_they_say_however_many),
        cmocka_unit_test(any_size_or_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
