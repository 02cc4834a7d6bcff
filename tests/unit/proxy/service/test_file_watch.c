#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/base/clock.h"
#include "proxy/service/file_watch.h"
#include "tests/unit/proxy/folder.h"

#include <event2/event.h>

#define PATIENCE_US (10 * INT64_C(1000000))

struct world {
    struct folder folder;
    struct event_base *base;
    struct file_watch *watch;
    unsigned told;
};

static void on_changed(void *arg)
{
    ((struct world *)arg)->told++;
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);

    world->folder = folder_make();
    world->base = event_base_new();
    world->watch = file_watch_new(world->base, on_changed, world);
    assert_non_null(world->watch);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    file_watch_free(world->watch);
    event_base_free(world->base);
    folder_remove(&world->folder);
    free(world);
    return 0;
}

/* Looks for that file as it is now. */
static void look_for(struct world *world, const char *path)
{
    struct watched_files files = {0};

    assert_true(watched_files_add(&files, path));
    assert_true(file_watch_set(world->watch, &files));
    assert_null(files.items);
}

static void turn(struct world *world)
{
    const struct timeval a_bit = {0, 5000};

    (void)event_base_loopexit(world->base, &a_bit);
    (void)event_base_dispatch(world->base);
}

/* Is told, within the test's patience. */
static void assert_told(struct world *world)
{
    int64_t until = clock_monotonic_us() + PATIENCE_US;
    unsigned before = world->told;

    while (world->told == before && clock_monotonic_us() < until)
        turn(world);
    assert_int_equal(world->told, before + 1);
}

/* Nothing is told, until something else that is sure to come has come. */
static void assert_untold(struct world *world)
{
    int64_t until = clock_monotonic_us() + 3 * FILE_WATCH_QUIET_MS * INT64_C(1000);
    unsigned before = world->told;

    while (clock_monotonic_us() < until)
        turn(world);
    assert_int_equal(world->told, before);
}

static void put(struct world *world, const char *name, const char *text)
{
    (void)folder_write(&world->folder, "fresh", text);
    assert_int_equal(rename(folder_path(&world->folder, "fresh"), folder_path(&world->folder, name)), 0);
}

static void sees_every_way_to_change_a_file(void **state)
{
    struct world *world = *state;
    const char *path = folder_write(&world->folder, "file", "one");

    look_for(world, path);
    (void)folder_write(&world->folder, "file", "another"); /* in place */
    assert_told(world);
    look_for(world, path);
    put(world, "file", "third");
    assert_told(world);
    look_for(world, path);
    assert_int_equal(unlink(path), 0);
    assert_told(world);
    look_for(world, path); /* it is not there, and that is how it is known */
    (void)folder_write(&world->folder, "file", "again");
    assert_told(world);
}

static void is_told_again_until_there_are_new_marks(void **state)
{
    struct world *world = *state;
    const char *path = folder_write(&world->folder, "file", "one");

    look_for(world, path);
    put(world, "file", "two");
    assert_told(world);
    put(world, "other", "x");
    assert_told(world);
    look_for(world, path);
    put(world, "other", "y"); /* nothing to do with it */
    assert_untold(world);
}

static void follows_links_wherever_they_lead(void **state)
{
    struct world *world = *state;
    const char *at = world->folder.path;
    char path[64], link[64];

    assert_int_equal(mkdir(folder_path(&world->folder, "1"), 0700), 0);
    assert_int_equal(mkdir(folder_path(&world->folder, "2"), 0700), 0);
    (void)folder_write(&world->folder, "1/file", "one");
    (void)folder_write(&world->folder, "2/file", "two");
    (void)snprintf(path, sizeof path, "%s/file", at);
    (void)snprintf(link, sizeof link, "%s/data", at);
    assert_int_equal(symlink("1", link), 0);
    assert_int_equal(symlink("data/../data/./file", path), 0);
    look_for(world, path);
    assert_int_equal(symlink("2", folder_path(&world->folder, "new")), 0);
    assert_int_equal(rename(folder_path(&world->folder, "new"), link), 0);
    assert_told(world);
    look_for(world, path);
    put(world, "2/file", "more"); /* where the link leads now */
    assert_told(world);
    look_for(world, path);
    put(world, "1/file", "less"); /* where it led before */
    assert_untold(world);
}

/* A mark from before a change that nobody saw happen: it is told without any event. */
static void what_changed_before_is_told(void **state)
{
    struct world *world = *state;
    struct watched_files files = {0};
    const char *path = folder_write(&world->folder, "file", "one");

    assert_true(watched_files_add(&files, path));
    put(world, "file", "two");
    assert_true(file_watch_set(world->watch, &files));
    assert_told(world);
}

/* A circle of links and a path that cannot be are no files, and no reason to hang. */
static void a_path_that_leads_nowhere_is_borne(void **state)
{
    struct world *world = *state;
    char path[64];

    (void)snprintf(path, sizeof path, "%s/circle", world->folder.path);
    assert_int_equal(symlink("circle", path), 0);
    look_for(world, path);
    look_for(world, "/nowhere/at/all/file");
    assert_untold(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sees_every_way_to_change_a_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(is_told_again_until_there_are_new_marks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(follows_links_wherever_they_lead, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_changed_before_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_path_that_leads_nowhere_is_borne, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
