#include "proxy/audit/points.h"
#include "proxy/audit/trail.h"
#include "proxy/audit/verify.h"
#include "proxy/base/clock.h"
#include "proxy/base/progress.h"
#include "proxy/console/audit.h"
#include "proxy/console/options.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#define PROGRESS_LINES 4096
#define NAMES          1000 /* of one kind; what more there is counts as "(others)" */
#define TIME_ROOM      64

struct options {
    const char *path;
    bool json;
};

/* What records are counted by. */
enum group { BY_STAGE, BY_OPERATION, BY_PRINCIPAL, GROUPS };

static const char *const group_members[] = {
    [BY_STAGE] = "stage", [BY_OPERATION] = "operation", [BY_PRINCIPAL] = "principal"};

struct stats {
    struct scan scan;
    uint64_t segments, records, bytes, unreadable;
    uint64_t first_seq, last_seq;
    char first_time[TIME_ROOM], last_time[TIME_ROOM];
    json_t *counts[GROUPS]; /* {"<name>": <count>} */
    json_t *open;           /* {"<request id>": "<time of the intent>"} */
    bool failed;            /* memory was out */
};

static int read_options(int argc, char **argv, struct options *options)
{
    const struct option_row rows[] = {{"json", .flag = &options->json}, {0}};
    struct operands operands;
    int status = options_read(argc, argv, rows, &operands);

    if (status != CONSOLE_DONE)
        return status;
    if (operands.count != 1)
        return CONSOLE_USAGE;
    options->path = operands.items[0];
    return CONSOLE_DONE;
}

/* ---- counting ---- */

static bool count_name(json_t *counts, struct span name)
{
    json_t *count = json_object_getn(counts, name.data, name.length);

    if (count == NULL && json_object_size(counts) >= NAMES) {
        name = span_of("(others)");
        count = json_object_getn(counts, name.data, name.length);
    }
    if (count != NULL)
        return json_integer_set(count, json_integer_value(count) + 1) == 0;
    return json_object_setn_new(counts, name.data, name.length, json_integer(1)) == 0;
}

/* A string's value with its escapes undone. */
static bool count_value(json_t *counts, struct span value)
{
    struct span name = scan_text(value);

    if (name.data == NULL)
        return true;
    if (memchr(name.data, '\\', name.length) == NULL)
        return count_name(counts, name);

    json_t *string = json_loadb(value.data, value.length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    bool counted = string != NULL &&
                   count_name(counts, (struct span){json_string_value(string), json_string_length(string)});
    json_decref(string);
    return counted;
}

/* Intents that have no end yet. */
static bool note_intent(struct stats *stats)
{
    struct span stage = scan_text(scan_find(&stats->scan, "stage"));
    struct span id = scan_text(scan_find(&stats->scan, "request_id"));
    struct span time = scan_text(scan_find(&stats->scan, "time"));

    if (id.data == NULL)
        return true;
    if (span_is(stage, "intent"))
        return json_object_setn_new(stats->open, id.data, id.length,
                                    time.data != NULL ? json_stringn(time.data, time.length) : json_null()) ==
               0;
    if (span_is(stage, "outcome") || span_is(stage, "reconciled"))
        (void)json_object_deln(stats->open, id.data, id.length);
    return true;
}

static void keep_time(char to[static TIME_ROOM], struct span time)
{
    if (time.length < TIME_ROOM) {
        memcpy(to, time.data, time.length);
        to[time.length] = '\0';
    }
}

static void count_line(struct stats *stats, struct span line)
{
    struct span time;
    uint64_t seq;

    if (!scan_line(line, &stats->scan) || stats->scan.fault != NULL) {
        stats->unreadable++;
        return;
    }
    stats->records++;
    for (size_t i = 0; i < GROUPS; i++)
        if (!count_value(stats->counts[i], scan_find(&stats->scan, group_members[i])))
            stats->failed = true;
    if (scan_number(scan_find(&stats->scan, "seq"), &seq)) {
        stats->first_seq = stats->first_seq == 0 ? seq : stats->first_seq;
        stats->last_seq = seq;
    }
    time = scan_text(scan_find(&stats->scan, "time"));
    if (time.data != NULL) {
        if (stats->first_time[0] == '\0')
            keep_time(stats->first_time, time);
        keep_time(stats->last_time, time);
    }
    stats->failed = stats->failed || !note_intent(stats);
}

/* False with a message. */
static bool count_all(struct stats *stats, const char *path, char *error, size_t error_size)
{
    struct trail *trail = trail_open(path, error, error_size);
    enum trail_state state;
    struct trail_line line;
    struct progress progress;
    uint64_t all, lines = 0;

    if (trail == NULL)
        return false;
    progress_start(&progress);
    while ((state = trail_next(trail, &line)) != TRAIL_END && state != TRAIL_ERROR) {
        if (state == TRAIL_LINE) {
            stats->segments += line.number == 1;
            count_line(stats, line.text);
        }
        stats->unreadable += state == TRAIL_TOO_LONG;
        trail_progress(trail, &stats->bytes, &all);
        if (++lines % PROGRESS_LINES == 0)
            progress_update(&progress, stats->bytes, all);
    }
    progress_end(&progress);
    if (state == TRAIL_ERROR)
        snprintf(error, error_size, "%s", trail_error(trail));
    trail_free(trail);
    return state == TRAIL_END;
}

/* ---- telling ---- */

static void add_string(struct text *out, const char *string)
{
    audit_add_shown(out, span_of(string));
}

/* For a person: the most frequent first. */
struct count {
    const char *name;
    json_int_t value;
};

static int by_value(const void *one, const void *other)
{
    const struct count *a = one, *b = other;

    return a->value != b->value ? (a->value < b->value ? 1 : -1) : strcmp(a->name, b->name);
}

static void write_counts(const char *title, json_t *counts, struct text *out)
{
    size_t size = json_object_size(counts), at = 0;
    struct count *rows = calloc(size + 1, sizeof *rows);
    const char *name;
    json_t *value;

    text_add_format(out, "by %s\n", title);
    if (rows == NULL) {
        out->failed = true;
        return;
    }
    json_object_foreach (counts, name, value)
        rows[at++] = (struct count){name, json_integer_value(value)};
    qsort(rows, size, sizeof *rows, by_value);
    for (size_t i = 0; i < size; i++) {
        text_add_format(out, "  %12" JSON_INTEGER_FORMAT "  ", rows[i].value);
        add_string(out, rows[i].name);
        text_add_string(out, "\n");
    }
    free(rows);
}

static void write_keys(const struct trust *trust, const struct points *points, struct text *out)
{
    const struct point *newest = points_newest(points);

    for (size_t i = 0; i < trust->count; i++) {
        text_add_string(out, i == 0 ? "key           " : "replaced key  ");
        note_key_write(&trust->keys[i], out);
        text_add_string(out, "\n");
    }
    if (trust->count == 0)
        text_add_string(out, "key           none: verifier.vkey is missing\n");
    if (newest == NULL)
        text_add_string(out, "checkpoint    no good one\n");
    else
        text_add_format(out, "checkpoint    %s: %" PRIu64 " records (of %zu checkpoints the newest)\n",
                        newest->file, newest->size, points->count);
}

static void write_open(json_t *open, struct text *out)
{
    const char *id;
    json_t *time;
    size_t told = 0;

    text_add_format(out, "open intents  %zu\n", json_object_size(open));
    json_object_foreach (open, id, time) {
        if (++told > 20) {
            text_add_string(out, "  ...\n");
            break;
        }
        text_add_string(out, "  ");
        add_string(out, id);
        text_add_string(out, "  ");
        add_string(out, json_string_length(time) > 0 ? json_string_value(time) : "");
        text_add_string(out, "\n");
    }
}

static void write_stats(const struct stats *stats, const struct trust *trust, const struct points *points,
                        struct text *out)
{
    char numbers[VERIFY_NUMBERS];

    text_add_format(out,
                    "segments      %" PRIu64 "\nrecords       %" PRIu64 ", %s\nbytes         %" PRIu64
                    "\nfirst         ",
                    stats->segments, stats->records,
                    verify_numbers(stats->first_seq, stats->last_seq, numbers), stats->bytes);
    add_string(out, stats->first_time);
    text_add_string(out, "\nlast          ");
    add_string(out, stats->last_time);
    text_add_string(out, "\n");
    write_keys(trust, points, out);
    write_open(stats->open, out);
    for (size_t i = 0; i < GROUPS; i++)
        write_counts(group_members[i], stats->counts[i], out);
}

static void write_dump(struct text *out, const char *name, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);

    text_add_format(out, ",\"%s\":", name);
    if (text != NULL)
        add_string(out, text); /* within strings an escape is as good as the character */
    else
        out->failed = true;
    free(text);
}

static void write_json(const struct stats *stats, const struct trust *trust, const struct points *points,
                       struct text *out)
{
    static const char *const names[] = {
        [BY_STAGE] = "stages", [BY_OPERATION] = "operations", [BY_PRINCIPAL] = "principals"};
    const struct point *newest = points_newest(points);
    struct text vkey = {0};

    text_add_format(out,
                    "{\"segments\":%" PRIu64 ",\"records\":%" PRIu64 ",\"bytes\":%" PRIu64
                    ",\"first_seq\":%" PRIu64 ",\"last_seq\":%" PRIu64 ",\"first_time\":",
                    stats->segments, stats->records, stats->bytes, stats->first_seq, stats->last_seq);
    text_add_json(out, span_of(stats->first_time));
    text_add_string(out, ",\"last_time\":");
    text_add_json(out, span_of(stats->last_time));
    text_add_string(out, ",\"keys\":[");
    for (size_t i = 0; i < trust->count; i++) {
        text_clear(&vkey);
        note_key_write(&trust->keys[i], &vkey);
        text_add_string(out, i > 0 ? "," : "");
        text_add_json(out, (struct span){vkey.data, vkey.length});
    }
    text_free(&vkey);
    text_add_format(out, "],\"checkpoints\":%zu", points->count);
    if (newest != NULL) {
        text_add_string(out, ",\"newest_checkpoint\":{\"file\":");
        text_add_json(out, span_of(newest->file));
        text_add_format(out, ",\"size\":%" PRIu64 ",\"origin\":", newest->size);
        text_add_json(out, span_of(newest->origin));
        text_add_string(out, "}");
    }
    for (size_t i = 0; i < GROUPS; i++)
        write_dump(out, names[i], stats->counts[i]);
    write_dump(out, "open_intents", stats->open);
    text_add_format(out, ",\"unreadable\":%" PRIu64 "}\n", stats->unreadable);
}

static int tell(const struct options *options, struct stats *stats)
{
    char error[512] = "out of memory";
    struct points points = {0};
    struct trust trust = {0};
    struct text out = {0};
    bool read = !stats->failed && count_all(stats, options->path, error, sizeof error) &&
                trust_add_directory(&trust, options->path, error, sizeof error) &&
                points_add_directory(&points, options->path, &trust, error, sizeof error);

    if (!read || stats->failed)
        output_fault("%s", error);
    else if (options->json)
        write_json(stats, &trust, &points, &out);
    else
        write_stats(stats, &trust, &points, &out);
    if (read && stats->unreadable > 0 && !options->json)
        output_fault("lines that are no records: %" PRIu64 "; look with: portcullis audit verify %s",
                     stats->unreadable, options->path);
    output_text(stdout, &out);
    points_free(&points);
    trust_free(&trust);
    return read && !stats->failed ? CONSOLE_DONE : CONSOLE_BAD;
}

int audit_stats(int argc, char **argv)
{
    struct options options = {0};
    int status = read_options(argc, argv, &options);
    struct stats *stats = status == CONSOLE_DONE ? calloc(1, sizeof *stats) : NULL;

    if (status != CONSOLE_DONE)
        return status;
    if (stats == NULL) {
        output_fault("out of memory");
        return CONSOLE_BAD;
    }
    stats->open = json_object();
    stats->failed = stats->open == NULL;
    for (size_t i = 0; i < GROUPS; i++) {
        stats->counts[i] = json_object();
        stats->failed = stats->failed || stats->counts[i] == NULL;
    }
    status = tell(&options, stats);
    for (size_t i = 0; i < GROUPS; i++)
        json_decref(stats->counts[i]);
    json_decref(stats->open);
    free(stats);
    return status;
}
