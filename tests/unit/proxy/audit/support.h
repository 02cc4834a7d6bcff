/* What the journal's tests share: a directory to work in, records to write, and a reader that believes
 * nothing. */
#ifndef TESTS_UNIT_PROXY_AUDIT_SUPPORT_H
#define TESTS_UNIT_PROXY_AUDIT_SUPPORT_H

#include "tests/unit/proxy/audit/scratch.h"

#include "proxy/audit/journal_internal.h"
#include "proxy/base/clock.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>

#define DEADLINE_S 30

/* Settings for a journal in this directory, its keys in a folder of it so that copies have them too. Without
 * checkpoints but those at start and stop. Good until the next call. */
static inline const struct journal_settings *settings_for(const char *directory)
{
    static char keys[512];
    static struct journal_settings settings;

    snprintf(keys, sizeof keys, "%s/keys", directory);
    settings = (struct journal_settings){
        .directory = directory, .keys = keys, .origin = "portcullis/test", .queue = 8};
    return &settings;
}

/* Opens a journal that must open, and waits for its first checkpoint: what comes then is the writer's alone.
 */
static inline struct journal *open_with(const struct journal_settings *settings, const struct journal_io *io)
{
    int64_t deadline = clock_monotonic_us() + (int64_t)DEADLINE_S * 1000000;
    struct journal_status status = {0};
    char error[512] = "";
    struct journal *journal = journal_open_with(settings, io, 20, error, sizeof error);

    if (journal == NULL)
        fail_msg("journal_open: %s", error);
    while (status.checkpoints == 0 && status.checkpoint_failures == 0) {
        assert_true(clock_monotonic_us() < deadline);
        usleep(200);
        journal_status(journal, &status);
    }
    return journal;
}

static inline struct journal *open_journal(const char *directory, const struct journal_io *io, unsigned queue,
                                           size_t segment_bytes)
{
    struct journal_settings settings = *settings_for(directory);

    settings.queue = queue;
    settings.segment_bytes = segment_bytes;
    return open_with(&settings, io);
}

static inline struct record make_record(enum record_stage stage, const char *request_id)
{
    struct record record = {0};

    assert_true(
        record_build(&(struct record_fields){.stage = stage,
                                             .time_us = clock_now_us(),
                                             .request_id = span_of(request_id),
                                             .principal = span_of("ci-bot"),
                                             .operation = span_of("deleteIntegration"),
                                             .organization = span_of("11111111-1111-4111-8111-111111111111")},
                     &record));
    return record;
}

/* What became of a record. */
struct told {
    int calls;
    bool durable;
};

static inline void on_told(void *arg, bool durable)
{
    struct told *told = arg;

    told->calls++;
    told->durable = durable;
}

/* One event loop's end. */
struct end {
    struct event_base *base;
    struct journal_port *port;
};

static inline struct end end_make(struct journal *journal)
{
    struct end end = {.base = event_base_new()};

    assert_non_null(end.base);
    end.port = journal_port_new(journal, end.base);
    assert_non_null(end.port);
    return end;
}

static inline void end_free(struct end end)
{
    journal_port_free(end.port);
    event_base_free(end.base);
}

static inline int64_t deadline_make(void)
{
    return clock_monotonic_us() + (int64_t)DEADLINE_S * 1000000;
}

/* One round of the loop, a few milliseconds long at most. */
static inline void run_shortly(struct event_base *base)
{
    struct timeval soon = {0, 2000};

    event_base_loopexit(base, &soon);
    event_base_loop(base, EVLOOP_ONCE);
}

/* The same; fails when the deadline has passed. */
static inline void turn(struct event_base *base, int64_t deadline)
{
    assert_true(clock_monotonic_us() < deadline);
    run_shortly(base);
}

static inline bool append(struct end end, enum record_stage stage, const char *request_id, struct told *told)
{
    struct record record = make_record(stage, request_id);
    bool queued = journal_append(end.port, &record, told != NULL ? on_told : NULL, told);

    assert_int_equal(queued, record.text.data == NULL); /* taken over, or left alone */
    record_free(&record);
    return queued;
}

/* Appends and waits for the answer. */
static inline bool append_and_wait(struct end end, enum record_stage stage, const char *request_id)
{
    struct told told = {0};
    int64_t deadline = deadline_make();

    if (!append(end, stage, request_id, &told))
        return false;
    while (told.calls == 0)
        turn(end.base, deadline);
    assert_int_equal(told.calls, 1);
    return told.durable;
}

static inline void wait_usable(struct journal *journal, bool usable)
{
    int64_t deadline = deadline_make();

    while (journal_usable(journal, NULL) != usable) {
        assert_true(clock_monotonic_us() < deadline);
        usleep(500);
    }
}

/* A header must say where the tree is; the first one says it to us. */
static inline void check_header(json_t *header, struct chain *chain, bool first)
{
    json_t *edge = json_object_get(header, "edge");
    char text[CHAIN_EDGE];

    if (first) {
        chain->tree.size = (uint64_t)json_integer_value(json_object_get(header, "tree_size"));
        for (size_t i = 0; i < json_array_size(edge); i++)
            assert_true(
                tree_hash_read(span_of(json_string_value(json_array_get(edge, i))), &chain->tree.edge[i]));
        assert_true(
            tree_hash_read(span_of(json_string_value(json_object_get(header, "prev"))), &chain->last));
    }
    assert_int_equal(json_integer_value(json_object_get(header, "tree_size")), chain->tree.size);
    assert_int_equal(json_integer_value(json_object_get(header, "first_seq")), chain->tree.size + 1);
    assert_int_equal(json_integer_value(json_object_get(header, "format")), 2);
    chain_write_edge(&chain->tree, text);
    char *said = json_dumps(edge, JSON_COMPACT);
    assert_string_equal(said, text);
    free(said);
}

/* What lies in a directory, as one array of records in the order of the files. Each line must be an object
 * with sorted members and a time, and continue the tree and the hashes of the lines before it; the first
 * header found is believed. */
static inline json_t *read_journal(const char *path)
{
    struct directory directory = {.path = (char *)(uintptr_t)path};
    struct segment_name *names;
    json_t *records = json_array();
    struct chain chain = {0};
    size_t count;

    assert_true(directory_list(&directory, &names, &count));
    for (size_t i = 0; i < count; i++) {
        char *file = directory_join(&directory, names[i].text), *line = NULL;
        FILE *stream = fopen(file, "r");
        size_t room = 0;
        ssize_t length;
        bool first = true;

        assert_non_null(stream);
        while ((length = getline(&line, &room, stream)) > 0) {
            json_t *record = json_loadb(line, (size_t)length, JSON_REJECT_DUPLICATES, NULL);
            const char *before = "", *name;
            json_t *value;

            if (!json_is_object(record) || line[length - 1] != '\n')
                fail_msg("%s: not a record: %s", file, line);
            json_object_foreach (record, name, value) {
                assert_true(strcmp(before, name) < 0);
                before = name;
            }
            assert_int_equal(json_string_length(json_object_get(record, "time")), CLOCK_TEXT - 1);
            if (first) {
                assert_string_equal(json_string_value(json_object_get(record, "stage")), "segment");
                assert_int_equal(json_integer_value(json_object_get(record, "seq")), names[i].first_seq);
                check_header(record, &chain, i == 0);
                first = false;
            }
            char last[TREE_HEX];
            tree_hash_write(&chain.last, last);
            assert_string_equal(json_string_value(json_object_get(record, "prev")), last);
            chain_add(&chain, (struct span){line, (size_t)length - 1});
            json_array_append_new(records, record);
        }
        free(line);
        fclose(stream);
        free(file);
    }
    free(names);
    return records;
}

static inline long long seq_of(json_t *record)
{
    return json_integer_value(json_object_get(record, "seq"));
}

static inline const char *text_of(json_t *record, const char *name)
{
    const char *text = json_string_value(json_object_get(record, name));

    return text != NULL ? text : "";
}

/* Fails unless the numbers run 1, 2, 3, … */
static inline void assert_gapless(json_t *records)
{
    for (size_t i = 0; i < json_array_size(records); i++)
        assert_int_equal(seq_of(json_array_get(records, i)), i + 1);
}

/* How many records have this stage and, unless NULL, this request id. */
static inline size_t count_records(json_t *records, const char *stage, const char *request_id)
{
    size_t count = 0;

    for (size_t i = 0; i < json_array_size(records); i++) {
        json_t *record = json_array_get(records, i);

        count += strcmp(text_of(record, "stage"), stage) == 0 &&
                 (request_id == NULL || strcmp(text_of(record, "request_id"), request_id) == 0);
    }
    return count;
}

/* The n-th record (from 0) of this stage; NULL when there are fewer. */
static inline json_t *find_record(json_t *records, const char *stage, size_t n)
{
    for (size_t i = 0; i < json_array_size(records); i++)
        if (strcmp(text_of(json_array_get(records, i), "stage"), stage) == 0 && n-- == 0)
            return json_array_get(records, i);
    return NULL;
}

/* Path of the newest segment; malloc'ed. */
static inline char *newest_segment(const char *path)
{
    struct directory directory = {.path = (char *)(uintptr_t)path};
    struct segment_name *names;
    size_t count;

    assert_true(directory_list(&directory, &names, &count));
    assert_true(count > 0);
    char *file = directory_join(&directory, names[count - 1].text);
    free(names);
    return file;
}

static inline size_t count_segments(const char *path)
{
    struct directory directory = {.path = (char *)(uintptr_t)path};
    struct segment_name *names;
    size_t count;

    assert_true(directory_list(&directory, &names, &count));
    free(names);
    return count;
}

/* The directory's state at this moment, as a kill -9 would leave it. */
static inline char *copy_directory(const char *from)
{
    char *to = scratch_make(), command[256];

    snprintf(command, sizeof command, "cp -a '%s/.' '%s'", from, to);
    assert_int_equal(system(command), 0);
    return to;
}

#endif
