#include "tests/unit/proxy/audit/support.h"

#include <stdatomic.h>

/* A disk that can be held still. */
struct slow_disk {
    atomic_bool hold;
    atomic_int syncs_begun, syncs_ended;
};

static ssize_t plain_write(void *arg, int fd, const struct iovec *parts, int count)
{
    (void)arg;
    return writev(fd, parts, count);
}

static int slow_sync(void *arg, int fd, bool metadata)
{
    struct slow_disk *disk = arg;

    (void)metadata;
    atomic_fetch_add(&disk->syncs_begun, 1);
    while (atomic_load(&disk->hold))
        usleep(200);
    int result = fdatasync(fd);
    atomic_fetch_add(&disk->syncs_ended, 1);
    return result;
}

static int plain_truncate(void *arg, int fd, off_t length)
{
    (void)arg;
    return ftruncate(fd, length);
}

static int no_reserve(void *arg, int fd, off_t from, off_t length)
{
    (void)arg, (void)fd, (void)from, (void)length;
    errno = EOPNOTSUPP;
    return -1;
}

#define SLOW_IO(disk)                                                                                        \
    {                                                                                                        \
        .arg = (disk), .write = plain_write, .sync = slow_sync, .reserve = no_reserve,                       \
        .truncate = plain_truncate                                                                           \
    }

/* Eight loops at once. */

#define THREADS     8
#define PER_THREAD  2000
#define QUEUE_SMALL 256

struct worker {
    pthread_t thread;
    struct journal *journal;
    int number, told, lost;
    bool late;
};

static void on_worker_told(void *arg, bool durable)
{
    struct worker *worker = arg;

    worker->told++;
    worker->lost += !durable;
}

/* No assertion in here: cmocka's jump must not leave a thread. */
static void *work(void *arg)
{
    struct worker *worker = arg;
    struct event_base *base = event_base_new();
    struct journal_port *port = journal_port_new(worker->journal, base);
    int64_t deadline = deadline_make();
    char id[32];

    for (int i = 0; i < PER_THREAD;) {
        snprintf(id, sizeof id, "%d-%05d", worker->number, i);
        struct record record = make_record(STAGE_REFUSED, id);
        if (journal_append(port, &record, on_worker_told, worker)) {
            i++;
            continue;
        }
        record_free(&record); /* full: let the loop run */
        run_shortly(base);
    }
    while (worker->told < PER_THREAD && !worker->late) {
        run_shortly(base);
        worker->late = clock_monotonic_us() > deadline;
    }
    journal_port_free(port);
    event_base_free(base);
    return NULL;
}

static void many_loops_share_one_sequence(void **state)
{
    struct journal *journal = open_journal(*state, &journal_io_system, QUEUE_SMALL, 100000);
    struct worker workers[THREADS];
    int next[THREADS] = {0};

    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.journal = journal, .number = i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_false(workers[i].late);
        assert_int_equal(workers[i].told, PER_THREAD);
        assert_int_equal(workers[i].lost, 0);
    }
    journal_close(journal);

    /* Each loop's records stand in the order in which it appended them. */
    json_t *records = read_journal(*state);
    assert_gapless(records);
    assert_int_equal(count_records(records, "refused", NULL), THREADS * PER_THREAD);
    for (size_t i = 0; i < json_array_size(records); i++) {
        json_t *record = json_array_get(records, i);
        int thread, number;

        if (sscanf(text_of(record, "request_id"), "%d-%d", &thread, &number) == 2)
            assert_int_equal(number, next[thread]++);
    }
    assert_true(count_segments(*state) > 10); /* and the segments changed on the way */
    json_decref(records);
}

static void marks_each_run(void **state)
{
    for (int run = 0; run < 3; run++)
        journal_close(open_journal(*state, &journal_io_system, 8, 0));

    json_t *records = read_journal(*state);
    static const char *const stages[] = {"segment", "start", "stop"};
    assert_gapless(records);
    assert_int_equal(json_array_size(records), 9);
    for (size_t i = 0; i < 9; i++) {
        assert_string_equal(text_of(json_array_get(records, i), "stage"), stages[i % 3]);
        if (i % 3 == 0) {
            json_t *header = json_array_get(records, i);

            assert_int_equal(json_integer_value(json_object_get(header, "run")), i + 1);
            assert_int_equal(json_integer_value(json_object_get(header, "first_seq")), i + 1);
        }
    }
    json_decref(records);
}

static void keeps_files_to_itself(void **state)
{
    char path[128], *file;
    struct stat status;

    snprintf(path, sizeof path, "%s/deep/journal", (char *)*state);
    struct journal *journal = open_journal(path, &journal_io_system, 8, 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    file = newest_segment(path);
    assert_int_equal(stat(file, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(status.st_nlink, 1);
    assert_true(status.st_blocks * 512 > status.st_size + SEGMENT_RESERVE); /* the reserve is there */
    journal_close(journal);
    assert_int_equal(stat(file, &status), 0);
    assert_true(status.st_blocks * 512 < SEGMENT_RESERVE); /* and given back */
    free(file);

    assert_int_equal(chmod(path, 0770), 0);
    char error[256] = "";
    assert_null(journal_open(settings_for(path), error, sizeof error));
    assert_non_null(strstr(error, "chmod go-w"));
}

/* While another has the lock, nothing is recorded but what is owed; it is taken over once it is let go. */
static void second_opener_waits_for_the_first(void **state)
{
    struct journal *first = open_journal(*state, &journal_io_system, 8, 0);
    char error[256] = "";
    struct journal *second =
        journal_open_with(settings_for(*state), &journal_io_system, 20, error, sizeof error);
    const char *why = "";
    char pid[32];
    struct journal_status status;
    struct told opened = {0}, owed = {0};
    struct record record = make_record(STAGE_POLICY, NULL);

    assert_non_null(second);
    snprintf(pid, sizeof pid, "pid %ld, ", (long)getpid());
    assert_non_null(strstr(error, pid)); /* as the log says */
    assert_non_null(strstr(error, *state));
    assert_false(journal_usable(second, &why));
    assert_string_equal(why, "another process writes it");
    journal_status(second, &status);
    assert_int_equal(status.tree_size, 0);
    assert_null(journal_take_open(second));

    struct end end = end_make(second), other = end_make(first);
    assert_true(journal_when_open(end.port, on_told, &opened));
    assert_false(append(end, STAGE_INTENT, "too early", NULL));
    record.owed = true;
    assert_true(journal_append(end.port, &record, on_told, &owed));
    journal_missed(second, 5);
    assert_true(append_and_wait(other, STAGE_INTENT, "of the first"));
    for (int i = 0; i < 50; i++)
        run_shortly(end.base);
    assert_int_equal(owed.calls, 1);
    assert_false(owed.durable);
    assert_int_equal(opened.calls, 0);
    end_free(other);
    journal_close(first);

    int64_t deadline = deadline_make();
    while (opened.calls == 0)
        turn(end.base, deadline);
    assert_true(opened.durable);
    wait_usable(second, true);
    assert_true(append_and_wait(end, STAGE_INTENT, "of the second"));
    json_t *open = journal_take_open(second);
    assert_int_equal(json_object_size(open), 1);
    assert_non_null(json_object_get(open, "of the first"));
    json_decref(open);

    struct told at_once = {0};
    assert_true(journal_when_open(end.port, on_told, &at_once));
    assert_int_equal(at_once.calls, 0); /* never from within */
    while (at_once.calls == 0)
        turn(end.base, deadline);
    end_free(end);
    journal_close(second);

    json_t *records = read_journal(*state);
    assert_gapless(records);
    assert_int_equal(count_records(records, "policy", NULL), 1);
    assert_int_equal(count_records(records, "intent", NULL), 2);
    assert_int_equal(json_integer_value(json_object_get(find_record(records, "missed", 0), "count")), 5);
    json_decref(records);
}

/* It is closed again without ever having been open. */
static void second_opener_may_give_up(void **state)
{
    struct journal *first = open_journal(*state, &journal_io_system, 8, 0);
    char error[256] = "";
    struct journal *second = journal_open(settings_for(*state), error, sizeof error);
    struct end end = end_make(second);
    struct told opened = {0};

    assert_true(journal_when_open(end.port, on_told, &opened));
    end_free(end);
    journal_close(second);
    assert_int_equal(opened.calls, 0);
    journal_close(first);
}

/* Those who wait in hope are told when the journal is open, or that it is not, and nobody waits twice. */
static void hope_has_an_end(void **state)
{
    struct journal *first = open_journal(*state, &journal_io_system, 8, 0);
    struct journal_settings settings = *settings_for(*state);
    char error[256] = "";
    int64_t deadline = deadline_make();

    settings.await_ms = 50;
    struct journal *second = journal_open_with(&settings, &journal_io_system, 20, error, sizeof error);
    settings.await_ms = 60000;
    struct journal *third = journal_open_with(&settings, &journal_io_system, 20, error, sizeof error);
    struct end impatient = end_make(second), patient = end_make(third), other = end_make(first);
    struct told given_up = {0}, served = {0}, forgotten = {0};

    assert_false(journal_await(other.port, on_told, &given_up)); /* it is open */
    assert_true(journal_await(impatient.port, on_told, &given_up));
    assert_true(journal_await(patient.port, on_told, &served));
    assert_true(journal_await(patient.port, on_told, &forgotten));
    journal_forget(patient.port, &forgotten);
    while (given_up.calls == 0)
        turn(impatient.base, deadline);
    assert_false(given_up.durable);
    assert_false(journal_await(impatient.port, on_told, &given_up));
    assert_int_equal(served.calls, 0);
    end_free(impatient);
    journal_close(second);
    end_free(other);
    journal_close(first);
    while (served.calls == 0)
        turn(patient.base, deadline);
    assert_true(served.durable);
    assert_int_equal(forgotten.calls, 0);
    assert_false(journal_await(patient.port, on_told, &served));
    assert_true(journal_usable(third, NULL));
    struct journal_status status;
    journal_status(third, &status);
    assert_int_equal(status.missed, 0);
    end_free(patient);
    journal_close(third);
}

/* What is found when the lock is let go would have refused to open: it stays closed until that is put right.
 */
static void damage_found_late_is_waited_for(void **state)
{
    struct journal *first = open_journal(*state, &journal_io_system, 8, 0);
    char error[256] = "", path[256];
    struct journal *second =
        journal_open_with(settings_for(*state), &journal_io_system, 5, error, sizeof error);
    const char *why = "";
    int64_t deadline = deadline_make();

    snprintf(path, sizeof path, "%s/keys/journal-signing.key", (char *)*state);
    assert_int_equal(chmod(path, 0644), 0);
    journal_close(first);
    while (assert_false(journal_usable(second, &why)), strcmp(why, "another process writes it") == 0) {
        assert_true(clock_monotonic_us() < deadline);
        usleep(500);
    }
    assert_non_null(strstr(why, "cannot be opened"));
    assert_int_equal(chmod(path, 0600), 0);
    wait_usable(second, true);
    journal_close(second);
}

static bool file_holds(const char *path, const char *needle)
{
    FILE *stream = fopen(path, "r");
    char *text = calloc(1, 1 << 16);
    bool holds = fread(text, 1, (1 << 16) - 1, stream) > 0 && strstr(text, needle) != NULL;

    fclose(stream);
    free(text);
    return holds;
}

struct witness {
    const char *path;
    struct slow_disk *disk;
    bool called, in_file, synced;
    int syncs_before;
};

static void on_witness(void *arg, bool durable)
{
    struct witness *witness = arg;

    witness->called = durable;
    witness->in_file = file_holds(witness->path, "\"witness\"");
    witness->synced = atomic_load(&witness->disk->syncs_ended) > witness->syncs_before;
}

static void tells_after_the_sync_and_not_before(void **state)
{
    struct slow_disk disk = {0};
    const struct journal_io io = SLOW_IO(&disk);
    struct journal *journal = open_journal(*state, &io, 8, 0);
    struct end end = end_make(journal);
    char *file = newest_segment(*state);
    struct witness witness = {.path = file, .disk = &disk, .syncs_before = atomic_load(&disk.syncs_ended)};
    struct record record = make_record(STAGE_INTENT, "witness");
    int64_t deadline = deadline_make();

    atomic_store(&disk.hold, true);
    assert_true(journal_append(end.port, &record, on_witness, &witness));
    assert_false(witness.called); /* never from within */
    while (atomic_load(&disk.syncs_begun) == witness.syncs_before)
        turn(end.base, deadline);
    for (int i = 0; i < 5; i++)
        turn(end.base, deadline);
    assert_true(file_holds(file, "\"witness\"")); /* written, but not synced: nobody is told */
    assert_false(witness.called);

    atomic_store(&disk.hold, false);
    while (!witness.called)
        turn(end.base, deadline);
    assert_true(witness.in_file);
    assert_true(witness.synced);
    end_free(end);
    journal_close(journal);
    free(file);
}

/* Appends one record and waits until the writer has it in hand, held by the disk. */
static void occupy(struct end end, struct slow_disk *disk, struct told *told)
{
    int before = atomic_load(&disk->syncs_begun);
    int64_t deadline = deadline_make();

    atomic_store(&disk->hold, true);
    assert_true(append(end, STAGE_INTENT, "first", told));
    while (atomic_load(&disk->syncs_begun) == before)
        turn(end.base, deadline);
}

static void queue_is_bounded(void **state)
{
    enum { QUEUE = 5 };
    struct slow_disk disk = {0};
    const struct journal_io io = SLOW_IO(&disk);
    struct journal *journal = open_journal(*state, &io, QUEUE, 0);
    struct end end = end_make(journal);
    struct told told[QUEUE + 2] = {{0}};
    int64_t deadline = deadline_make();
    int syncs;

    occupy(end, &disk, &told[0]);
    for (int i = 1; i <= QUEUE; i++)
        assert_true(append(end, STAGE_INTENT, "more", &told[i]));
    assert_false(append(end, STAGE_INTENT, "too much", &told[QUEUE + 1]));
    assert_false(append(end, STAGE_INTENT, "too much", NULL));
    assert_true(journal_usable(journal, NULL));

    syncs = atomic_load(&disk.syncs_begun);
    atomic_store(&disk.hold, false);
    while (told[QUEUE].calls == 0)
        turn(end.base, deadline);
    assert_int_equal(atomic_load(&disk.syncs_begun), syncs + 1); /* all that waited went in one sync */
    for (int i = 0; i <= QUEUE; i++)
        assert_true(told[i].calls == 1 && told[i].durable);
    assert_int_equal(told[QUEUE + 1].calls, 0);
    assert_true(append_and_wait(end, STAGE_INTENT, "room again"));
    end_free(end);
    journal_close(journal);
}

/* Records of reads leave half of the queue to those of changes. */
static void reads_leave_room(void **state)
{
    enum { QUEUE = 5, READS = 3 };
    struct slow_disk disk = {0};
    const struct journal_io io = SLOW_IO(&disk);
    struct journal *journal = open_journal(*state, &io, QUEUE, 0);
    struct end end = end_make(journal);
    struct told told = {0};
    int reads = 0, changes = 0;

    occupy(end, &disk, &told);
    for (bool took = true; took; reads += took) {
        struct record record = make_record(STAGE_READ, "read");

        record.spare = true;
        took = journal_append(end.port, &record, NULL, NULL);
        record_free(&record);
    }
    while (append(end, STAGE_INTENT, "change", NULL))
        changes++;
    assert_int_equal(reads, READS);
    assert_int_equal(changes, QUEUE - READS);
    atomic_store(&disk.hold, false);
    end_free(end);
    journal_close(journal);
}

static void waiting_bytes_are_bounded(void **state)
{
    struct slow_disk disk = {0};
    const struct journal_io io = SLOW_IO(&disk);
    struct journal *journal = open_journal(*state, &io, 1000, 0);
    struct end end = end_make(journal);
    struct told told = {0};
    size_t size = 30u << 20;
    int queued = 0;

    occupy(end, &disk, &told);
    for (;;) {
        struct record record = make_record(STAGE_REFUSED, "big");

        assert_true(text_reserve(&record.text, size));
        memset(record.text.data + record.text.length, ' ', size);
        record.text.length += size;
        bool took = journal_append(end.port, &record, NULL, NULL);
        record_free(&record);
        if (!took)
            break;
        queued++;
    }
    assert_int_equal(queued, 3);
    journal_port_free(end.port);
    event_base_free(end.base);
    atomic_store(&disk.hold, false);
    journal_close(journal);
}

static void a_broken_text_is_not_taken(void **state)
{
    struct journal *journal = open_journal(*state, &journal_io_system, 8, 0);
    struct end end = end_make(journal);
    struct record record = make_record(STAGE_INTENT, "x"), empty = {0};

    record.text.failed = true;
    assert_false(journal_append(end.port, &record, NULL, NULL));
    assert_false(journal_append(end.port, &empty, NULL, NULL));
    record_free(&record);
    end_free(end);
    journal_close(journal);
    json_t *records = read_journal(*state);
    assert_int_equal(json_array_size(records), 3);
    json_decref(records);
}

static void forgotten_and_orphaned_records_are_written(void **state)
{
    struct slow_disk disk = {0};
    const struct journal_io io = SLOW_IO(&disk);
    struct journal *journal = open_journal(*state, &io, 16, 0);
    struct end end = end_make(journal), other = end_make(journal);
    struct told kept = {0}, forgotten = {0}, orphaned = {0};
    int64_t deadline = deadline_make();

    occupy(end, &disk, &forgotten);
    assert_true(append(end, STAGE_INTENT, "forgotten", &forgotten));
    assert_true(append(end, STAGE_INTENT, "kept", &kept));
    assert_true(append(other, STAGE_INTENT, "orphaned", &orphaned));
    journal_forget(end.port, &forgotten);
    end_free(other); /* before the writer comes to it */

    atomic_store(&disk.hold, false);
    while (kept.calls == 0)
        turn(end.base, deadline);
    assert_int_equal(forgotten.calls, 0);
    assert_int_equal(orphaned.calls, 0);

    /* A port that goes with answers still waiting in it. */
    assert_true(append(end, STAGE_INTENT, "unread", &orphaned));
    end_free(end);
    journal_close(journal);
    assert_int_equal(orphaned.calls, 0);

    json_t *records = read_journal(*state);
    static const char *const ids[] = {"first", "forgotten", "kept", "orphaned", "unread"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        assert_int_equal(count_records(records, "intent", ids[i]), 1);
    json_decref(records);
}

struct closer {
    struct end *end;
    int calls;
};

static void on_close_port(void *arg, bool durable)
{
    struct closer *closer = arg;

    assert_true(durable);
    closer->calls++;
    journal_port_free(closer->end->port);
    event_base_loopbreak(closer->end->base);
}

static void a_callback_may_close_its_port(void **state)
{
    struct slow_disk disk = {0};
    const struct journal_io io = SLOW_IO(&disk);
    struct journal *journal = open_journal(*state, &io, 16, 0);
    struct end end = end_make(journal);
    struct closer closer = {.end = &end};
    struct told first = {0};

    occupy(end, &disk, &first);
    for (int i = 0; i < 3; i++) {
        struct record record = make_record(STAGE_REFUSED, "close");

        assert_true(journal_append(end.port, &record, on_close_port, &closer));
    }
    atomic_store(&disk.hold, false);
    event_base_dispatch(end.base);
    assert_int_equal(first.calls, 1);
    assert_int_equal(closer.calls, 1); /* and nobody is called behind it */
    event_base_free(end.base);
    journal_close(journal);
}

static void lost_counts_are_recorded(void **state)
{
    struct journal *journal = open_journal(*state, &journal_io_system, 8, 0);
    int64_t deadline = deadline_make();
    char *file = newest_segment(*state);

    journal_missed(journal, 41);
    while (!file_holds(file, "\"count\":41,")) { /* without anything else to write */
        assert_true(clock_monotonic_us() < deadline);
        usleep(500);
    }
    journal_missed(journal, 1);
    journal_close(journal);
    json_t *records = read_journal(*state);
    assert_gapless(records);
    assert_int_equal(count_records(records, "missed", NULL), 2);
    assert_string_equal(text_of(json_array_get(records, json_array_size(records) - 1), "stage"), "stop");
    json_decref(records);
    free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(many_loops_share_one_sequence),
        SCRATCH_TEST(marks_each_run),
        SCRATCH_TEST(keeps_files_to_itself),
        SCRATCH_TEST(second_opener_waits_for_the_first),
        SCRATCH_TEST(second_opener_may_give_up),
        SCRATCH_TEST(hope_has_an_end),
        SCRATCH_TEST(damage_found_late_is_waited_for),
        SCRATCH_TEST(tells_after_the_sync_and_not_before),
        SCRATCH_TEST(queue_is_bounded),
        SCRATCH_TEST(reads_leave_room),
        SCRATCH_TEST(waiting_bytes_are_bounded),
        SCRATCH_TEST(a_broken_text_is_not_taken),
        SCRATCH_TEST(forgotten_and_orphaned_records_are_written),
        SCRATCH_TEST(a_callback_may_close_its_port),
        SCRATCH_TEST(lost_counts_are_recorded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
