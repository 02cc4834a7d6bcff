/* Disks that fail, and what the journal then says, keeps and does. */
#include "proxy/audit/check.h"
#include "tests/unit/proxy/audit/support.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

/* A disk that fails on demand. */
struct bad_disk {
    atomic_int write_errno;    /* 0: writes succeed */
    atomic_int write_most;     /* bytes that one call takes; 0: all */
    atomic_int bytes_left;     /* until write_errno; -1: no bound */
    atomic_int sync_errno;     /* 0: syncs succeed */
    atomic_int reserve_errno;  /* 0: there is room ahead */
    atomic_int truncate_errno; /* 0: files can be cut */
    atomic_int writes;
    atomic_bool hold; /* syncs wait */
    atomic_int syncs_begun;
};

static ssize_t bad_write(void *arg, int fd, const struct iovec *parts, int count)
{
    struct bad_disk *disk = arg;
    int left = atomic_load(&disk->bytes_left), most = atomic_load(&disk->write_most);

    atomic_fetch_add(&disk->writes, 1);
    if (atomic_load(&disk->write_errno) != 0 && left <= 0) {
        errno = atomic_load(&disk->write_errno);
        return -1;
    }
    if (left > 0 && (most == 0 || left < most))
        most = left;
    if (most == 0)
        return writev(fd, parts, count);

    /* The first part that holds something, and of it no more than `most`. */
    while (count > 1 && parts->iov_len == 0)
        parts++, count--;
    ssize_t got = write(fd, parts->iov_base, parts->iov_len < (size_t)most ? parts->iov_len : (size_t)most);
    if (left > 0 && got > 0)
        atomic_fetch_sub(&disk->bytes_left, (int)got);
    return got;
}

static int bad_sync(void *arg, int fd, bool metadata)
{
    struct bad_disk *disk = arg;
    int fault = atomic_load(&disk->sync_errno);

    (void)metadata;
    atomic_fetch_add(&disk->syncs_begun, 1);
    while (atomic_load(&disk->hold))
        usleep(200);
    if (fault == 0)
        return fdatasync(fd);
    errno = fault;
    return -1;
}

static int bad_truncate(void *arg, int fd, off_t length)
{
    struct bad_disk *disk = arg;

    errno = atomic_load(&disk->truncate_errno);
    return errno == 0 ? ftruncate(fd, length) : -1;
}

static int bad_reserve(void *arg, int fd, off_t from, off_t length)
{
    struct bad_disk *disk = arg;

    (void)fd, (void)from, (void)length;
    errno = atomic_load(&disk->reserve_errno);
    return errno == 0 ? 0 : -1;
}

#define BAD_IO(disk)                                                                                         \
    {                                                                                                        \
        .arg = (disk), .write = bad_write, .sync = bad_sync, .reserve = bad_reserve,                         \
        .truncate = bad_truncate                                                                             \
    }

static void assert_trouble(struct journal *journal, const char *says)
{
    const char *why = NULL;

    assert_false(journal_usable(journal, &why));
    assert_non_null(strstr(why, says));
}

/* The numbers must rise by one, except that `gaps` steps may be larger. */
static void assert_rising(json_t *records, int gaps)
{
    for (size_t i = 1; i < json_array_size(records); i++) {
        long long before = seq_of(json_array_get(records, i - 1)), seq = seq_of(json_array_get(records, i));

        assert_true(seq > before);
        if (seq != before + 1)
            assert_true(gaps-- > 0);
    }
}

static void failed_sync_ends_the_segment(void **state)
{
    struct bad_disk disk = {.bytes_left = -1};
    const struct journal_io io = BAD_IO(&disk);
    struct journal *journal = open_journal(*state, &io, 16, 0);
    struct end end = end_make(journal);
    struct told told[3] = {{0}};
    int64_t deadline = deadline_make();

    assert_true(append_and_wait(end, STAGE_INTENT, "sent"));
    char *file = newest_segment(*state);
    struct stat before, after;

    /* One in hand, two waiting: all are lost together. */
    int begun = atomic_load(&disk.syncs_begun);
    atomic_store(&disk.hold, true);
    assert_true(append(end, STAGE_INTENT, "in-hand", &told[0]));
    while (atomic_load(&disk.syncs_begun) == begun)
        turn(end.base, deadline);
    assert_true(append(end, STAGE_INTENT, "waiting", &told[1]));
    assert_true(append(end, STAGE_OUTCOME, "sent", &told[2]));
    atomic_store(&disk.sync_errno, EIO); /* the one in hand read 0 before: its sync succeeds */
    atomic_store(&disk.hold, false);
    while (told[2].calls == 0)
        turn(end.base, deadline);
    assert_true(told[0].durable);
    assert_false(told[1].durable);
    assert_false(told[2].durable);
    wait_usable(journal, false);
    assert_trouble(journal, "Input/output error");
    assert_false(append(end, STAGE_INTENT, "while broken", NULL));
    journal_missed(journal, 7);

    /* It stays so while new segments fail too, and the old file is not touched again. */
    assert_int_equal(stat(file, &before), 0);
    begun = atomic_load(&disk.syncs_begun);
    while (atomic_load(&disk.syncs_begun) < begun + 3)
        turn(end.base, deadline);
    assert_int_equal(count_segments(*state), 1);
    assert_trouble(journal, "Input/output error");

    atomic_store(&disk.sync_errno, 0);
    wait_usable(journal, true);
    assert_int_equal(stat(file, &after), 0);
    assert_int_equal(after.st_size, before.st_size);
    assert_true(append_and_wait(end, STAGE_INTENT, "after"));
    assert_int_equal(count_segments(*state), 2);
    end_free(end);
    journal_close(journal);

    /* The lines that nobody was told of are gone, and their numbers used again. */
    json_t *records = read_journal(*state);
    assert_gapless(records);
    json_t *recovered = find_record(records, "recovered", 0);
    assert_string_equal(text_of(recovered, "segment"), strrchr(file, '/') + 1);
    assert_string_equal(text_of(recovered, "detail"), "Input/output error");
    assert_int_equal(count_records(records, "intent", "in-hand"), 1);
    assert_int_equal(count_records(records, "intent", "waiting"), 0);
    assert_int_equal(count_records(records, "outcome", NULL), 0);
    assert_int_equal(count_records(records, "reconciled", NULL), 0);
    assert_int_equal(json_integer_value(json_object_get(find_record(records, "missed", 0), "count")), 7 + 2);
    json_decref(records);
    free(file);
}

static void short_writes_lose_nothing(void **state)
{
    struct bad_disk disk = {.bytes_left = -1, .write_most = 7};
    const struct journal_io io = BAD_IO(&disk);
    struct journal *journal = open_journal(*state, &io, 1000, 0);
    struct end end = end_make(journal);

    for (int i = 0; i < 600; i++) /* more than one writev takes */
        assert_true(append(end, STAGE_REFUSED, "short", NULL));
    assert_true(append_and_wait(end, STAGE_INTENT, "last"));
    end_free(end);
    journal_close(journal);
    json_t *records = read_journal(*state);
    assert_gapless(records);
    assert_int_equal(count_records(records, "refused", "short"), 600);
    assert_true(atomic_load(&disk.writes) > 600);
    json_decref(records);
}

/* The disk fills up in the middle of the second of three records, at every place of it. */
static void a_full_disk_leaves_whole_lines(void **state)
{
    struct record sample = make_record(STAGE_INTENT, "full-0");
    int line =
        (int)sample.text.length + (int)strlen("\"seq\":3,") + (int)strlen("\"prev\":\"\",") + TREE_HEX - 1;

    (void)state;
    record_free(&sample);
    for (int bytes = 0; bytes <= 3 * line; bytes += 13) {
        char *scratch = scratch_make();
        struct bad_disk disk = {.bytes_left = -1};
        const struct journal_io io = BAD_IO(&disk);
        struct journal *journal = open_journal(scratch, &io, 16, 0);
        struct end end = end_make(journal);
        struct told told[3] = {{0}};
        int64_t deadline = deadline_make();
        char id[16];

        pthread_mutex_lock(&journal->lock); /* so that the three are one batch */
        atomic_store(&disk.bytes_left, bytes);
        atomic_store(&disk.write_errno, ENOSPC);
        pthread_mutex_unlock(&journal->lock);
        for (int i = 0; i < 3; i++) {
            snprintf(id, sizeof id, "full-%d", i);
            (void)append(end, STAGE_INTENT, id, &told[i]);
        }
        while (journal_usable(journal, NULL) && bytes < 3 * line)
            turn(end.base, deadline);
        atomic_store(&disk.write_errno, 0);
        wait_usable(journal, true);
        assert_true(append_and_wait(end, STAGE_REFUSED, "room"));
        end_free(end);
        journal_close(journal);

        json_t *records = read_journal(scratch); /* whole lines only, or this fails */
        assert_gapless(records);
        for (int i = 0; i < 3; i++) { /* there is what was acknowledged, and nothing else */
            snprintf(id, sizeof id, "full-%d", i);
            assert_int_equal(count_records(records, "intent", id), told[i].calls == 1 && told[i].durable);
        }
        assert_int_equal(count_records(records, "reconciled", NULL), 0);
        json_decref(records);
        scratch_remove(scratch);
    }
}

/* The same with the kernel's own short write and error. */
static void a_file_size_limit_is_survived(void **state)
{
    struct journal *journal = open_journal(*state, &journal_io_system, 1000, 0);
    struct end end = end_make(journal);
    struct rlimit before, limit;
    int durable = 0;

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 20001;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    while (append_and_wait(end, STAGE_REFUSED, "limited"))
        assert_true(++durable < 1000);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(durable > 50);
    wait_usable(journal, true);
    assert_true(append_and_wait(end, STAGE_REFUSED, "limited"));
    end_free(end);
    journal_close(journal);

    json_t *records = read_journal(*state);
    assert_gapless(records);
    assert_int_equal(count_records(records, "refused", NULL), durable + 1);
    assert_string_equal(text_of(find_record(records, "recovered", 0), "detail"), "File too large");
    json_decref(records);
}

/* What others do to the file or its directory is seen before anybody is told "durable". */

static void remove_file(const char *file)
{
    assert_int_equal(unlink(file), 0);
}

static void replace_file(const char *file)
{
    char *aside;

    assert_true(asprintf(&aside, "%s.aside", file) > 0);
    assert_int_equal(rename(file, aside), 0);
    int fd = open(file, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    free(aside);
}

static void truncate_file(const char *file)
{
    assert_int_equal(truncate(file, 0), 0);
}

static void extend_file(const char *file)
{
    int fd = open(file, O_WRONLY | O_APPEND);

    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
}

static void notices_what_others_do_to_the_segment(void **state)
{
    static const struct {
        void (*act)(const char *file);
        const char *says, *found;
    } rows[] = {
        {remove_file, "removed or replaced", "; the file is gone"},
        {replace_file, "removed or replaced", ""},
        {truncate_file, "changed by another", "; line 1 of it is damaged: its number is not"},
        {extend_file, "changed by another", "; what others wrote into it is in 0000000000000001-"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *scratch = scratch_make();
        struct journal *journal = open_journal(scratch, &journal_io_system, 16, 0);
        struct end end = end_make(journal);
        char *file = newest_segment(scratch);

        assert_true(append_and_wait(end, STAGE_INTENT, "before"));
        rows[i].act(file);
        assert_false(append_and_wait(end, STAGE_INTENT, "hit"));
        wait_usable(journal, true);
        assert_true(append_and_wait(end, STAGE_INTENT, "after"));
        end_free(end);
        journal_close(journal);

        assert_int_equal(unlink(file) == 0 || errno == ENOENT, true); /* the newer segment alone must tell */
        json_t *records = read_journal(scratch);
        assert_rising(records, 0);
        assert_int_equal(seq_of(json_array_get(records, 0)), 4); /* behind header, start, before */
        assert_non_null(strstr(text_of(find_record(records, "recovered", 0), "detail"), rows[i].says));
        assert_non_null(strstr(text_of(find_record(records, "recovered", 0), "detail"), rows[i].found));
        assert_int_equal(count_records(records, "intent", "hit"), 0);
        assert_int_equal(count_records(records, "reconciled", NULL), 0);
        assert_int_equal(count_records(records, "intent", "after"), 1);
        json_decref(records);
        free(file);
        scratch_remove(scratch);
    }
}

static void a_lost_directory_is_not_made_anew(void **state)
{
    struct journal *journal;
    char path[128], aside[128];

    snprintf(path, sizeof path, "%s/journal", (char *)*state);
    snprintf(aside, sizeof aside, "%s/aside", (char *)*state);
    journal = open_journal(path, &journal_io_system, 16, 0);
    struct end end = end_make(journal);
    assert_int_equal(rename(path, aside), 0);
    assert_false(append_and_wait(end, STAGE_INTENT, "lost"));
    wait_usable(journal, false);

    int64_t deadline = deadline_make();
    const char *why = "";
    while (journal_usable(journal, &why) || strstr(why, "directory") == NULL)
        turn(end.base, deadline);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(mkdir(path, 0700), 0); /* another directory, without our lock */
    for (int i = 0; i < 20; i++)
        turn(end.base, deadline);
    assert_trouble(journal, "directory was removed or replaced");

    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rename(aside, path), 0);
    wait_usable(journal, true);
    assert_true(append_and_wait(end, STAGE_INTENT, "found"));
    end_free(end);
    journal_close(journal);
    json_t *records = read_journal(path);
    assert_gapless(records);
    json_decref(records);
}

/* Without room ahead mutations stop, while what is under way is still written. */
static void without_a_reserve_mutations_stop(void **state)
{
    struct bad_disk disk = {.bytes_left = -1, .reserve_errno = ENOSPC};
    const struct journal_io io = BAD_IO(&disk);
    struct journal *journal = open_journal(*state, &io, 16, 0);
    struct end end = end_make(journal);

    assert_trouble(journal, "No space left");
    assert_true(append_and_wait(end, STAGE_OUTCOME, "under way"));
    assert_trouble(journal, "No space left");
    atomic_store(&disk.reserve_errno, 0);
    wait_usable(journal, true); /* without anything to write */
    assert_int_equal(count_segments(*state), 1);
    end_free(end);
    journal_close(journal);
    json_t *records = read_journal(*state);
    assert_gapless(records);
    assert_int_equal(count_records(records, "outcome", "under way"), 1);
    json_decref(records);
}

static void a_file_system_without_reserves_is_fine(void **state)
{
    static const int faults[] = {EOPNOTSUPP, ENOSYS, EINVAL};

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        char *scratch = scratch_make();
        struct bad_disk disk = {.bytes_left = -1, .reserve_errno = faults[i]};
        const struct journal_io io = BAD_IO(&disk);
        struct journal *journal = open_journal(scratch, &io, 16, 0);

        assert_true(journal_usable(journal, NULL));
        journal_close(journal);
        scratch_remove(scratch);
    }
}

/* What was taken and then lost is counted by the journal itself, whoever waits for it. */
static void counts_what_was_lost(void **state)
{
    struct bad_disk disk = {.bytes_left = -1};
    const struct journal_io io = BAD_IO(&disk);
    struct journal *journal = open_journal(*state, &io, 16, 0);
    struct end end = end_make(journal);
    struct told forgotten = {0};

    atomic_store(&disk.write_errno, EROFS);
    assert_true(append(end, STAGE_REFUSED, "nobody", NULL));
    wait_usable(journal, false);
    assert_trouble(journal, "Read-only");
    atomic_store(&disk.write_errno, 0);
    wait_usable(journal, true);

    atomic_store(&disk.sync_errno, EIO);
    assert_true(append(end, STAGE_REFUSED, "forgotten", &forgotten));
    journal_forget(end.port, &forgotten);
    int64_t deadline = deadline_make();
    while (journal_usable(journal, NULL)) /* the writer is woken at the end of the loop's turn */
        turn(end.base, deadline);
    bool counted = false;
    while (!counted) {
        turn(end.base, deadline);
        pthread_mutex_lock(&journal->lock);
        counted = journal->missed == 1;
        pthread_mutex_unlock(&journal->lock);
    }
    atomic_store(&disk.sync_errno, 0);
    wait_usable(journal, true);
    end_free(end);
    journal_close(journal);

    json_t *records = read_journal(*state);
    assert_gapless(records);
    assert_int_equal(forgotten.calls, 0);
    assert_int_equal(count_records(records, "missed", NULL), 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(json_integer_value(json_object_get(find_record(records, "missed", i), "count")), 1);
    json_decref(records);
}

/* A count whose own record is lost stays what it was. */
static void a_lost_count_is_not_counted(void **state)
{
    struct bad_disk disk = {.bytes_left = -1};
    const struct journal_io io = BAD_IO(&disk);
    struct journal *journal = open_journal(*state, &io, 16, 0);

    atomic_store(&disk.sync_errno, EIO);
    journal_missed(journal, 5);
    wait_usable(journal, false);
    atomic_store(&disk.sync_errno, 0);
    wait_usable(journal, true);
    journal_close(journal);

    json_t *records = read_journal(*state);
    assert_gapless(records);
    assert_int_equal(count_records(records, "missed", NULL), 1);
    assert_int_equal(json_integer_value(json_object_get(find_record(records, "missed", 0), "count")), 5);
    json_decref(records);
}

static bool owe(struct end end, const char *request_id, struct told *told)
{
    struct record record = make_record(STAGE_OUTCOME, request_id);

    record.owed = true;
    bool taken = journal_append(end.port, &record, told != NULL ? on_told : NULL, told);
    record_free(&record);
    return taken;
}

/* What ends a mutation that was sent is not lost with the segment: nobody waits for it, and it comes first
 * when the journal is back, or at the stop. */
static void keeps_what_is_owed(void **state)
{
    static const bool stop_first[] = {false, true};

    (void)state;
    for (size_t i = 0; i < sizeof stop_first / sizeof *stop_first; i++) {
        char *scratch = scratch_make();
        struct bad_disk disk = {.bytes_left = -1};
        const struct journal_io io = BAD_IO(&disk);
        struct journal *journal = open_journal(scratch, &io, 16, 0);
        struct end end = end_make(journal);
        struct told told[3] = {{0}};
        int64_t deadline = deadline_make();
        struct journal_status status;

        for (int sent = 0; sent < 3; sent++)
            assert_true(append_and_wait(end, STAGE_INTENT, (const char *[]){"hit", "late", "nobody"}[sent]));
        atomic_store(&disk.sync_errno, EIO);
        assert_true(owe(end, "hit", &told[0]));
        while (told[0].calls == 0)
            turn(end.base, deadline);
        assert_true(owe(end, "late", &told[1]));
        assert_true(owe(end, "nobody", NULL));
        assert_int_equal(told[1].calls, 0); /* not from within */
        while (told[1].calls == 0)
            turn(end.base, deadline);
        assert_false(told[0].durable);
        assert_false(told[1].durable);
        journal_status(journal, &status);
        assert_int_equal(status.queued, 3);
        assert_int_equal(status.missed, 0);

        int begun = atomic_load(&disk.syncs_begun); /* an attempt that fails loses nothing */
        while (atomic_load(&disk.syncs_begun) < begun + 2)
            turn(end.base, deadline);
        atomic_store(&disk.sync_errno, 0);
        if (!stop_first[i]) {
            wait_usable(journal, true);
            assert_true(append_and_wait(end, STAGE_INTENT, "after"));
        }
        end_free(end);
        journal_close(journal);

        json_t *records = read_journal(scratch);
        assert_gapless(records);
        assert_int_equal(count_records(records, "missed", NULL), 0);
        assert_int_equal(count_records(records, "outcome", NULL), 3);
        assert_string_equal(text_of(find_record(records, "outcome", 0), "request_id"), "hit");
        assert_string_equal(text_of(find_record(records, "outcome", 1), "request_id"), "late");
        assert_string_equal(text_of(find_record(records, "outcome", 2), "request_id"), "nobody");
        if (!stop_first[i])
            assert_true(seq_of(find_record(records, "outcome", 2)) <
                        seq_of(find_record(records, "intent", 3)));
        json_decref(records);
        scratch_remove(scratch);
    }
}

/* A rotation that fails leaves the old segment in use. */
static void goes_on_when_it_cannot_rotate(void **state)
{
    struct journal *journal = open_journal(*state, &journal_io_system, 16, 400);
    struct end end = end_make(journal);
    char path[256];

    snprintf(path, sizeof path, "%s/segment.new", (char *)*state);
    assert_int_equal(mkdir(path, 0700), 0); /* where the next segment would be made */
    for (int i = 0; i < 5; i++)
        assert_true(append_and_wait(end, STAGE_INTENT, "kept"));
    assert_true(journal_usable(journal, NULL));
    assert_int_equal(count_segments(*state), 1);
    assert_int_equal(rmdir(path), 0);
    int64_t deadline = deadline_make();
    while (count_segments(*state) == 1) {
        assert_true(clock_monotonic_us() < deadline);
        assert_true(append_and_wait(end, STAGE_INTENT, "kept"));
    }
    end_free(end);
    journal_close(journal);
    json_t *records = read_journal(*state);
    assert_gapless(records);
    json_decref(records);
}

/* A segment that cannot be cut is not continued past: its lines would have their numbers twice. */
static void waits_until_the_tail_is_gone(void **state)
{
    struct bad_disk disk = {.bytes_left = -1, .truncate_errno = EROFS};
    const struct journal_io io = BAD_IO(&disk);
    struct journal *journal = open_journal(*state, &io, 16, 0);
    struct end end = end_make(journal);

    atomic_store(&disk.sync_errno, EIO);
    assert_false(append_and_wait(end, STAGE_INTENT, "lost"));
    assert_trouble(journal, "Input/output error");
    atomic_store(&disk.sync_errno, 0);
    int64_t deadline = deadline_make();
    const char *why = "";
    while (strstr(why, "Read-only") == NULL) {
        assert_false(journal_usable(journal, &why));
        turn(end.base, deadline);
    }
    assert_int_equal(count_segments(*state), 1);
    atomic_store(&disk.truncate_errno, 0);
    wait_usable(journal, true);
    assert_true(append_and_wait(end, STAGE_INTENT, "kept"));
    end_free(end);
    journal_close(journal);
    json_t *records = read_journal(*state);
    assert_gapless(records);
    assert_int_equal(count_records(records, "intent", "lost"), 0);
    assert_int_equal(count_records(records, "intent", "kept"), 1);
    json_decref(records);
}

/* Without anything to write: age is enough, but not for a segment that holds no more than it began with. */
static void begins_a_segment_for_its_age(void **state)
{
    struct journal_settings settings = *settings_for(*state);

    settings.segment_seconds = 1;
    struct journal *journal = open_with(&settings, &journal_io_system);
    struct end end = end_make(journal);
    int64_t deadline = deadline_make(), begun = clock_monotonic_us();

    assert_true(append_and_wait(end, STAGE_INTENT, "one"));
    while (count_segments(*state) == 1)
        turn(end.base, deadline);
    assert_true(clock_monotonic_us() - begun > 500000);
    begun = clock_monotonic_us();
    while (clock_monotonic_us() - begun < 1300000)
        run_shortly(end.base);
    assert_int_equal(count_segments(*state), 2);
    assert_true(append_and_wait(end, STAGE_OUTCOME, "one")); /* which comes late: at once another one */
    while (count_segments(*state) == 2)
        turn(end.base, deadline);
    end_free(end);
    journal_close(journal);
    json_t *records = read_journal(*state);
    assert_gapless(records);
    json_decref(records);
}

/* What waits is made durable in groups of bounded size, in its order; a longer record goes alone. */
static void groups_are_bounded(void **state)
{
    struct bad_disk disk = {.bytes_left = -1};
    const struct journal_io io = BAD_IO(&disk);
    struct journal *journal = open_journal(*state, &io, 100, 0);
    struct end end = end_make(journal);
    static char detail[2 * CHECK_GROUP];
    int64_t deadline = deadline_make();
    struct told told = {0};

    memset(detail, 'x', sizeof detail);
    int begun = atomic_load(&disk.syncs_begun);
    atomic_store(&disk.hold, true);
    assert_true(append(end, STAGE_INTENT, "in-hand", NULL));
    while (atomic_load(&disk.syncs_begun) == begun)
        turn(end.base, deadline);
    for (int i = 0; i < 10; i++) { /* 4 groups: of 3, 3, 3 and 1; then one long one, and one behind it */
        struct record record = {0};

        assert_true(record_build(
            &(struct record_fields){.stage = STAGE_REFUSED, .detail = {detail, CHECK_GROUP / 3 - 1000}},
            &record));
        assert_true(journal_append(end.port, &record, NULL, NULL));
    }
    struct record record = {0};
    assert_true(record_build(
        &(struct record_fields){.stage = STAGE_REFUSED, .detail = {detail, sizeof detail}}, &record));
    assert_true(journal_append(end.port, &record, NULL, NULL));
    assert_true(append(end, STAGE_INTENT, "last", &told));
    begun = atomic_load(&disk.syncs_begun);
    atomic_store(&disk.hold, false);
    while (told.calls == 0)
        turn(end.base, deadline);
    assert_int_equal(atomic_load(&disk.syncs_begun) - begun, 6);
    end_free(end);
    journal_close(journal);
    json_t *records = read_journal(*state);
    assert_gapless(records);
    assert_int_equal(count_records(records, "refused", NULL), 11);
    json_decref(records);
}

/* It is not open until the disk is good; whoever opens it meanwhile finds the lock free. */
static void opens_when_the_disk_is_good_again(void **state)
{
    struct bad_disk disk = {.bytes_left = -1, .sync_errno = EIO};
    const struct journal_io io = BAD_IO(&disk);
    char error[256] = "";
    struct journal *journal = journal_open_with(settings_for(*state), &io, 3, error, sizeof error);
    struct end end = end_make(journal);

    assert_trouble(journal, "Input/output error");
    assert_false(append(end, STAGE_INTENT, "too early", NULL));
    assert_int_equal(count_segments(*state), 0);
    atomic_store(&disk.sync_errno, 0);
    wait_usable(journal, true);
    assert_true(append_and_wait(end, STAGE_INTENT, "one"));
    end_free(end);
    journal_close(journal);

    /* The same where the first segment finds no room: nothing stays behind from each attempt. */
    atomic_store(&disk.write_errno, ENOSPC);
    atomic_store(&disk.bytes_left, 100);
    journal = journal_open_with(settings_for(*state), &io, 3, error, sizeof error);
    end = end_make(journal);
    assert_trouble(journal, "No space left on device");
    int writes = atomic_load(&disk.writes);
    int64_t deadline = deadline_make();
    while (atomic_load(&disk.writes) < writes + 5)
        turn(end.base, deadline);
    assert_int_equal(count_segments(*state), 1);
    atomic_store(&disk.write_errno, 0);
    atomic_store(&disk.bytes_left, -1);
    wait_usable(journal, true);
    assert_true(append_and_wait(end, STAGE_INTENT, "two"));
    end_free(end);
    journal_close(journal);
    json_t *records = read_journal(*state);
    assert_gapless(records);
    assert_int_equal(count_records(records, "start", NULL), 2);
    json_decref(records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(failed_sync_ends_the_segment),
        SCRATCH_TEST(short_writes_lose_nothing),
        cmocka_unit_test(a_full_disk_leaves_whole_lines),
        SCRATCH_TEST(a_file_size_limit_is_survived),
        cmocka_unit_test(notices_what_others_do_to_the_segment),
        SCRATCH_TEST(a_lost_directory_is_not_made_anew),
        SCRATCH_TEST(without_a_reserve_mutations_stop),
        cmocka_unit_test(a_file_system_without_reserves_is_fine),
        SCRATCH_TEST(counts_what_was_lost),
        SCRATCH_TEST(a_lost_count_is_not_counted),
        cmocka_unit_test(keeps_what_is_owed),
        SCRATCH_TEST(goes_on_when_it_cannot_rotate),
        SCRATCH_TEST(waits_until_the_tail_is_gone),
        SCRATCH_TEST(begins_a_segment_for_its_age),
        SCRATCH_TEST(groups_are_bounded),
        SCRATCH_TEST(opens_when_the_disk_is_good_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
