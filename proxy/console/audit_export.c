#include "proxy/audit/export.h"
#include "proxy/audit/trail.h"
#include "proxy/audit/when.h"
#include "proxy/base/clock.h"
#include "proxy/console/audit.h"
#include "proxy/console/options.h"

struct options {
    const char *path;
    const struct export_format *format;
    int64_t since_us, until_us;
};

struct exporter {
    const struct options *options;
    struct text origin; /* of the segment being read */
    struct text out;
};

static int take_time(const struct option_row *row, const char *value)
{
    if (when_read(span_of(value), clock_now_us(), row->arg))
        return CONSOLE_DONE;
    output_fault("\"%s\" is no time: a day (2026-01-31), RFC 3339, or how long ago (90s, 15m, 2h, 7d, 4w)",
                 value);
    return CONSOLE_USAGE;
}

static int take_format(const struct option_row *row, const char *value)
{
    struct options *options = row->arg;

    options->format = export_format_named(value);
    if (options->format != NULL)
        return CONSOLE_DONE;
    output_fault("there is no format \"%s\": ocsf, cloudevents or csv", value);
    return CONSOLE_USAGE;
}

static int read_options(int argc, char **argv, struct options *options)
{
    const struct option_row rows[] = {{"format", 'f', .take = take_format, .arg = options},
                                      {"since", .take = take_time, .arg = &options->since_us},
                                      {"until", .take = take_time, .arg = &options->until_us},
                                      {0}};
    struct operands operands;
    int status = options_read(argc, argv, rows, &operands);

    if (status != CONSOLE_DONE)
        return status;
    if (options->format == NULL || operands.count != 1)
        return CONSOLE_USAGE;
    options->path = operands.items[0];
    return CONSOLE_DONE;
}

/* ---- records ---- */

/* Does the record's time lie in the stretch that was asked for? One whose time cannot be read does: nothing
 * is left out silently. */
static bool is_wanted(const struct options *options, const json_t *record)
{
    const char *time = json_string_value(json_object_get(record, "time"));
    int64_t at_us;

    if (time == NULL || !when_read(span_of(time), 0, &at_us))
        return true;
    return at_us >= options->since_us && at_us < options->until_us;
}

/* A segment's header names the log. */
static void note_origin(struct exporter *exporter, const json_t *record)
{
    const char *stage = json_string_value(json_object_get(record, "stage"));
    const char *origin = json_string_value(json_object_get(record, "origin"));

    if (stage == NULL || strcmp(stage, "segment") != 0 || origin == NULL)
        return;
    text_clear(&exporter->origin);
    text_add_string(&exporter->origin, origin);
}

/* Writes out what was made. Unlike output_text it leaves every byte as it is: a file or a program reads it.
 */
static bool flush(struct exporter *exporter)
{
    struct text *out = &exporter->out;
    bool done = out->length == 0 || fwrite(out->data, 1, out->length, stdout) == out->length;

    text_clear(out);
    return done;
}

/* CONSOLE_DONE to go on. */
static int take_line(struct exporter *exporter, const struct trail_line *line)
{
    json_t *record =
        json_loadb(line->text.data, line->text.length, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
    int status = CONSOLE_DONE;

    if (!json_is_object(record)) {
        output_fault("%s:%llu: this is no record; `portcullis audit verify` says more", line->file,
                     (unsigned long long)line->number);
        json_decref(record);
        return CONSOLE_NO;
    }
    note_origin(exporter, record);
    if (is_wanted(exporter->options, record) &&
        export_record(exporter->options->format, record,
                      exporter->origin.length > 0 ? exporter->origin.data : "portcullis",
                      &exporter->out) == EXPORT_FAILED) {
        output_fault("memory is out");
        status = CONSOLE_BAD;
    }
    json_decref(record);
    return status == CONSOLE_DONE && !flush(exporter) ? CONSOLE_BAD : status;
}

/* Reads all lines there are. What is no record is said, passed over, and shows in the exit status. */
static int export_trail(struct exporter *exporter, struct trail *trail)
{
    struct trail_line line;
    int worst = CONSOLE_DONE;

    for (;;) {
        switch (trail_next(trail, &line)) {
        case TRAIL_LINE: {
            int status = take_line(exporter, &line);
            if (status == CONSOLE_BAD)
                return status;
            if (status != CONSOLE_DONE)
                worst = status;
            break;
        }
        case TRAIL_PARTIAL:
            break; /* of the newest segment: it is being written */
        case TRAIL_TOO_LONG:
            output_fault("%s:%llu: the line is too long for a record", line.file,
                         (unsigned long long)line.number);
            worst = CONSOLE_NO;
            break;
        case TRAIL_ERROR:
            output_fault("%s", trail_error(trail));
            return CONSOLE_BAD;
        case TRAIL_END:
            return worst;
        }
    }
}

int audit_export(int argc, char **argv)
{
    struct options options = {.since_us = INT64_MIN, .until_us = INT64_MAX};
    struct exporter exporter = {.options = &options};
    char error[512];
    int status = read_options(argc, argv, &options);

    if (status != CONSOLE_DONE)
        return status;
    struct trail *trail = trail_open(options.path, error, sizeof error);
    if (trail == NULL) {
        output_fault("%s", error);
        return CONSOLE_BAD;
    }
    export_begin(options.format, &exporter.out);
    status = flush(&exporter) ? export_trail(&exporter, trail) : CONSOLE_BAD;
    trail_free(trail);
    text_free(&exporter.origin);
    text_free(&exporter.out);
    return status;
}
