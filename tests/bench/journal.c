/* Drives the journal as an event loop of the gate does, and the bare disk beside it, for what both cost.
 *
 *   journal fill DIRECTORY KEYS RECORDS                 appends so many, 256 outstanding
 *   journal append DIRECTORY KEYS OUTSTANDING SECONDS   appends with so many outstanding, for so long
 *   journal open DIRECTORY KEYS                         opens it, waits until it takes records, closes it
 *   journal sync FILE BYTES SECONDS                     writes so many bytes, fdatasync, again, for so long
 *
 * Prints one line of JSON. */
#include "proxy/audit/journal_internal.h"
#include "proxy/audit/record.h"
#include "proxy/base/clock.h"

#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAMPLES  (1u << 22) /* times kept; beyond that, every so often one is overwritten */
#define FILL     256
#define MILLIONS 1000000.0

struct drive {
    struct journal *journal;
    struct journal_port *port;
    struct event_base *base;
    uint64_t wanted, begun, done, failed;
    int64_t until_us; /* 0: no limit */
    uint32_t *times;  /* of one append each, in microseconds */
};

struct append {
    struct drive *drive;
    int64_t began_us;
};

static int by_size(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

    return a < b ? -1 : a > b;
}

static uint32_t percentile(uint32_t *times, size_t count, double share)
{
    if (count == 0)
        return 0;
    qsort(times, count, sizeof *times, by_size);
    return times[(size_t)((double)(count - 1) * share)];
}

/* As large as what an allowed PATCH leaves, intent and outcome in turn. */
static bool build(struct drive *drive, struct record *record)
{
    char id[40];
    bool ends = drive->begun % 2 == 1;

    (void)snprintf(id, sizeof id, "00000000-0000-4000-8000-%012" PRIu64, drive->begun / 2 % 1000000000000);
    struct record_fields fields = {
        .stage = ends ? STAGE_OUTCOME : STAGE_INTENT,
        .time_us = clock_now_us(),
        .client = span_of("127.0.0.1"),
        .effect = span_of("update"),
        .gate = span_of("rules"),
        .level = span_of("request"),
        .method = span_of("PATCH"),
        .operation = span_of("updateIntegration"),
        .organization = span_of("11111111-2222-4333-8444-555555555555"),
        .policy = span_of("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
        .principal = span_of("p123"),
        .request_id = span_of(id),
        .resource = span_of("aaaaaaaa-0000-4000-8000-000000000001"),
        .rule = span_of("/organizations/11111111-2222-4333-8444-555555555555/grants/0"),
        .target = span_of("/rest/orgs/11111111-2222-4333-8444-555555555555/integrations/"
                          "aaaaaaaa-0000-4000-8000-000000000001?version=2024-10-15"),
        .version = span_of("2024-10-15"),
    };
    if (!ends) /* canonical JSON; a replay judges it again */
        fields.body = span_of("{\"data\":{\"attributes\":{\"profile_name\":\"renamed\"},"
                              "\"id\":\"aaaaaaaa-0000-4000-8000-000000000001\",\"type\":\"integration\"}}");
    if (ends) {
        fields.status = record_number(200);
        fields.upstream_status = record_number(200);
        fields.duration_us = record_number(321);
        fields.sent = RECORD_TRUE;
    }
    return record_build(&fields, record);
}

static void next(struct append *append);

static void on_durable(void *arg, bool durable)
{
    struct append *append = arg;
    struct drive *drive = append->drive;

    drive->failed += !durable;
    drive->times[drive->done++ % SAMPLES] = (uint32_t)(clock_monotonic_us() - append->began_us);
    next(append);
}

static void next(struct append *append)
{
    struct drive *drive = append->drive;
    struct record record = {0};

    append->began_us = clock_monotonic_us();
    if (drive->begun == drive->wanted || (drive->until_us > 0 && append->began_us >= drive->until_us)) {
        if (drive->done == drive->begun)
            (void)event_base_loopbreak(drive->base);
        return;
    }
    if (!build(drive, &record) || !journal_append(drive->port, &record, on_durable, append)) {
        fputs("journal: a record was not taken\n", stderr);
        exit(1);
    }
    drive->begun++;
}

static void on_open(void *arg, bool durable)
{
    (void)durable;
    (void)event_base_loopbreak(arg);
}

static void open_journal(struct drive *drive, const char *directory, const char *keys)
{
    const struct journal_settings settings = {
        .directory = directory,
        .keys = keys,
        .queue = 4096,
        .segment_bytes = 64ul << 20,
        .checkpoint_records = 1000,
        .checkpoint_seconds = 60,
    };
    char error[512] = "";

    drive->base = event_base_new();
    drive->journal = drive->base ? journal_open(&settings, error, sizeof error) : NULL;
    drive->port = drive->journal ? journal_port_new(drive->journal, drive->base) : NULL;
    if (drive->port == NULL || !journal_when_open(drive->port, on_open, drive->base)) {
        fprintf(stderr, "journal: %s\n", error);
        exit(1);
    }
    (void)event_base_dispatch(drive->base);
}

static void close_journal(struct drive *drive)
{
    journal_port_free(drive->port);
    journal_close(drive->journal);
    event_base_free(drive->base);
}

/* How often records were made durable. */
static uint64_t groups(const struct drive *drive)
{
    uint64_t count = 0;

    for (size_t i = 0; i <= HISTOGRAM_BUCKETS; i++)
        count += figure_read(&drive->journal->groups.buckets[i]);
    return count;
}

static void run(struct drive *drive, size_t outstanding)
{
    struct append *appends = calloc(outstanding, sizeof *appends);
    uint64_t before = groups(drive);
    int64_t began_us = clock_monotonic_us();

    drive->times = calloc(SAMPLES, sizeof *drive->times);
    if (appends == NULL || drive->times == NULL)
        exit(1);
    for (size_t i = 0; i < outstanding; i++) {
        appends[i].drive = drive;
        next(&appends[i]);
    }
    (void)event_base_dispatch(drive->base);
    double seconds = (double)(clock_monotonic_us() - began_us) / MILLIONS;
    size_t kept = drive->done < SAMPLES ? (size_t)drive->done : SAMPLES;
    uint64_t syncs = groups(drive) - before;
    printf("{\"records\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"seconds\":%.6f,\"syncs\":%" PRIu64
           ",\"p50_us\":%" PRIu32 ",\"p99_us\":%" PRIu32 "}\n",
           drive->done, drive->failed, seconds, syncs, percentile(drive->times, kept, 0.50),
           percentile(drive->times, kept, 0.99));
    free(drive->times);
    free(appends);
}

static void open_and_close(const char *directory, const char *keys)
{
    struct drive drive = {0};
    struct journal_status status;
    int64_t began_us = clock_monotonic_us();

    open_journal(&drive, directory, keys);
    double seconds = (double)(clock_monotonic_us() - began_us) / MILLIONS;
    journal_status(drive.journal, &status);
    printf("{\"seconds\":%.6f,\"records\":%" PRIu64 "}\n", seconds, status.tree_size);
    close_journal(&drive);
}

static void bare(const char *path, size_t bytes, int64_t duration_us)
{
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    char *lines = malloc(bytes);
    uint32_t *times = calloc(SAMPLES, sizeof *times);
    size_t count = 0;
    int64_t began_us = clock_monotonic_us(), now = began_us;

    if (file < 0 || lines == NULL || times == NULL)
        exit(1);
    memset(lines, 'x', bytes);
    while (now - began_us < duration_us && count < SAMPLES) {
        int64_t before = now;
        if (write(file, lines, bytes) != (ssize_t)bytes || fdatasync(file) != 0) {
            perror("journal: sync");
            exit(1);
        }
        now = clock_monotonic_us();
        times[count++] = (uint32_t)(now - before);
    }
    printf("{\"syncs\":%zu,\"seconds\":%.6f,\"p50_us\":%" PRIu32 ",\"p99_us\":%" PRIu32 "}\n", count,
           (double)(now - began_us) / MILLIONS, percentile(times, count, 0.50),
           percentile(times, count, 0.99));
    (void)close(file);
    free(lines);
    free(times);
}

int main(int argc, char **argv)
{
    struct drive drive = {.wanted = UINT64_MAX};

    if (argc == 4 && strcmp(argv[1], "open") == 0) {
        open_and_close(argv[2], argv[3]);
    } else if (argc == 5 && strcmp(argv[1], "fill") == 0) {
        drive.wanted = strtoull(argv[4], NULL, 10);
        open_journal(&drive, argv[2], argv[3]);
        run(&drive, FILL);
        close_journal(&drive);
    } else if (argc == 6 && strcmp(argv[1], "append") == 0) {
        open_journal(&drive, argv[2], argv[3]);
        drive.until_us = clock_monotonic_us() + (int64_t)(strtod(argv[5], NULL) * MILLIONS);
        run(&drive, strtoul(argv[4], NULL, 10));
        close_journal(&drive);
    } else if (argc == 5 && strcmp(argv[1], "sync") == 0) {
        bare(argv[2], strtoul(argv[3], NULL, 10), (int64_t)(strtod(argv[4], NULL) * MILLIONS));
    } else {
        fputs("journal: see its first lines\n", stderr);
        return 2;
    }
    return 0;
}
