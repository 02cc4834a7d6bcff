/* When checkpoints are written, and what is in them. */
#include "proxy/audit/checkpoints.h"
#include "tests/unit/proxy/audit/support.h"

#include <stdatomic.h>

static struct journal_status status_of(struct journal *journal)
{
    struct journal_status status;

    journal_status(journal, &status);
    return status;
}

/* Waits until the newest checkpoint covers this much. */
static void wait_covered(struct journal *journal, uint64_t size)
{
    int64_t deadline = deadline_make();

    while (status_of(journal).checkpoint_size < size) {
        assert_true(clock_monotonic_us() < deadline);
        usleep(500);
    }
}

/* Every checkpoint in the directory must be signed by its key and have the root of the lines that it covers.
 * Returns how many there are; *newest is the size of the largest. */
static size_t verify_checkpoints(const char *path, uint64_t *newest)
{
    struct directory directory = {.path = (char *)(uintptr_t)path, .fd = open(path, O_RDONLY | O_DIRECTORY)};
    struct segment_name *names;
    struct chain chain = {0};
    struct note_key key;
    char error[512] = "";
    size_t count, found = 0;
    bool known;

    assert_true(verifier_read(&directory, &key, &known, error, sizeof error) && known);
    assert_string_equal(key.name, "portcullis/test");
    assert_true(directory_list(&directory, &names, &count));
    assert_true(checkpoints_newest(&directory, newest));
    for (size_t i = 0; i < count; i++) {
        char *file = directory_join(&directory, names[i].text), *line = NULL;
        FILE *stream = fopen(file, "r");
        ssize_t length;
        size_t room = 0;

        while ((length = getline(&line, &room, stream)) > 0) {
            struct tree_hash root, expected;
            char name[CHECKPOINT_NAME];

            chain_add(&chain, (struct span){line, (size_t)length - 1});
            expected = tree_root(&chain.tree);
            checkpoints_name(chain.tree.size, name);
            if (faccessat(directory.fd, name, F_OK, 0) != 0)
                continue;
            if (!checkpoints_read(&directory, chain.tree.size, &key, &root, error, sizeof error))
                fail_msg("%s", error);
            assert_memory_equal(root.bytes, expected.bytes, TREE_HASH);
            found++;
        }
        free(line);
        fclose(stream);
        free(file);
    }
    assert_true(*newest <= chain.tree.size);
    free(names);
    close(directory.fd);
    return found;
}

/* At start and stop, whatever the settings. */
static void writes_at_start_and_stop(void **state)
{
    uint64_t newest;

    for (unsigned run = 1; run <= 3; run++) {
        journal_close(open_journal(*state, &journal_io_system, 8, 0));
        assert_int_equal(verify_checkpoints(*state, &newest), 2 * run);
        assert_int_equal(newest, 3 * run); /* header, start, stop */
    }
}

static void writes_after_so_many_records(void **state)
{
    struct journal_settings settings = *settings_for(*state);
    uint64_t newest;

    settings.checkpoint_records = 10;
    settings.segment_bytes = 6000;
    struct journal *journal = open_with(&settings, &journal_io_system);
    struct end end = end_make(journal);
    for (int i = 0; i < 95; i++)
        assert_true(append_and_wait(end, STAGE_REFUSED, "x"));
    wait_covered(journal, 90);
    struct journal_status status = status_of(journal);
    assert_true(status.tree_size >= 97);
    assert_true(status.checkpoints >= 2 && status.checkpoints <= 11);
    end_free(end);
    journal_close(journal);
    assert_true(verify_checkpoints(*state, &newest) >= 4);
    assert_true(count_segments(*state) > 3);
}

/* Some time after the last one, if there is something new; and only then. */
static void writes_after_some_time(void **state)
{
    struct journal_settings settings = *settings_for(*state);

    settings.checkpoint_records = 1000;
    settings.checkpoint_seconds = 1;
    struct journal *journal = open_with(&settings, &journal_io_system);
    struct end end = end_make(journal);
    int64_t before = clock_monotonic_us();
    assert_true(append_and_wait(end, STAGE_REFUSED, "x"));
    wait_covered(journal, 3);
    assert_true(clock_monotonic_us() - before > 500000);
    assert_int_equal(status_of(journal).checkpoints, 2);
    before = clock_monotonic_us();
    while (clock_monotonic_us() - before < 1200000)
        run_shortly(end.base);
    assert_int_equal(status_of(journal).checkpoints, 2);
    end_free(end);
    journal_close(journal);
}

/* A disk whose syncs fail for small files only: those of the keeper. */
struct picky_disk {
    atomic_bool broken;
};

static int picky_sync(void *arg, int fd, bool metadata)
{
    struct picky_disk *disk = arg;
    char link[64], path[512];

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    if (atomic_load(&disk->broken) && strstr(path, ".note") != NULL) {
        errno = EIO;
        return -1;
    }
    return metadata ? fsync(fd) : fdatasync(fd);
}

/* A checkpoint that cannot be written holds nothing up, and is tried again. */
static void a_failure_is_tried_again(void **state)
{
    struct picky_disk disk = {.broken = true};
    struct journal_io io = journal_io_system;
    struct journal_settings settings = *settings_for(*state);
    int64_t deadline = deadline_make();
    uint64_t newest;

    io.arg = &disk;
    io.sync = picky_sync;
    settings.checkpoint_records = 1;
    struct journal *journal = open_with(&settings, &io);
    struct end end = end_make(journal);
    while (status_of(journal).checkpoint_failures < 3) {
        assert_true(clock_monotonic_us() < deadline);
        assert_true(append_and_wait(end, STAGE_INTENT, "goes on"));
    }
    assert_true(journal_usable(journal, NULL));
    assert_int_equal(status_of(journal).checkpoints, 0);
    assert_int_equal(status_of(journal).checkpoint_time_us, 0);
    atomic_store(&disk.broken, false);
    wait_covered(journal, status_of(journal).tree_size);
    assert_true(status_of(journal).checkpoint_time_us > 0);
    end_free(end);
    journal_close(journal);
    assert_true(verify_checkpoints(*state, &newest) >= 2);
}

/* Were so many records made durable, in so many groups? */
static void assert_groups(const struct journal *journal, uint64_t records, uint64_t groups)
{
    uint64_t count = 0;

    for (size_t i = 0; i <= HISTOGRAM_BUCKETS; i++)
        count += figure_read(&journal->groups.buckets[i]);
    assert_int_equal(count, groups);
    assert_int_equal(figure_read(&journal->groups.sum), records);
}

static void tells_its_state(void **state)
{
    struct journal *journal = open_journal(*state, &journal_io_system, 8, 0);
    struct end end = end_make(journal);
    char *file = newest_segment(*state);
    struct journal_status before = status_of(journal), after;

    assert_null(before.why);
    assert_string_equal(before.segment, strrchr(file, '/') + 1);
    assert_int_equal(before.tree_size, 2);
    assert_int_equal(before.checkpoint_size, 2);
    assert_int_equal(before.queued, 0);
    assert_int_equal(before.missed, 0);
    assert_groups(journal, 0, 0); /* the header and the start are no group that anyone waits for */
    assert_true(append_and_wait(end, STAGE_INTENT, "x"));
    journal_missed(journal, 5);
    int64_t deadline = deadline_make();
    do {
        assert_true(clock_monotonic_us() < deadline);
        after = status_of(journal);
    } while (after.tree_size < 4);
    assert_groups(journal, 2, 2);
    assert_int_equal(after.missed, 5);
    assert_int_equal(after.checkpoint_size, 2);
    free(file);
    end_free(end);
    journal_close(journal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(writes_at_start_and_stop), SCRATCH_TEST(writes_after_so_many_records),
        SCRATCH_TEST(writes_after_some_time),   SCRATCH_TEST(a_failure_is_tried_again),
        SCRATCH_TEST(tells_its_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
