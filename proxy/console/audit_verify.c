#include "proxy/audit/verify.h"

#include "proxy/audit/when.h"
#include "proxy/base/progress.h"
#include "proxy/console/audit.h"
#include "proxy/console/audit_options.h"

#include <inttypes.h>

#define CHECKPOINTS  64
#define UNCOVERED_US (INT64_C(3600) * 1000000)

struct options {
    const char *path;
    struct trust keys;
    const char *checkpoints[CHECKPOINTS];
    size_t checkpoint_count;
    int64_t uncovered_us;
    bool json;
};

static int take_checkpoint(const struct option_row *row, const char *value)
{
    struct options *options = row->arg;

    if (options->checkpoint_count == CHECKPOINTS) {
        output_fault("no more than %d checkpoints at once", CHECKPOINTS);
        return CONSOLE_BAD;
    }
    options->checkpoints[options->checkpoint_count++] = value;
    return CONSOLE_DONE;
}

static int take_uncovered(const struct option_row *row, const char *value)
{
    struct options *options = row->arg;
    int64_t since;

    if (!when_read(span_of(value), 0, &since) || since > 0) {
        output_fault("--uncovered %s: how long, as \"90m\" or \"2h\"", value);
        return CONSOLE_BAD;
    }
    options->uncovered_us = -since;
    return CONSOLE_DONE;
}

static int read_options(int argc, char **argv, struct options *options)
{
    const struct option_row rows[] = {{"key", .take = audit_take_key, .arg = &options->keys},
                                      {"checkpoint", .take = take_checkpoint, .arg = options},
                                      {"uncovered", .take = take_uncovered, .arg = options},
                                      {"json", .flag = &options->json},
                                      {0}};
    struct operands operands;
    int status = options_read(argc, argv, rows, &operands);

    if (status != CONSOLE_DONE)
        return status;
    if (operands.count != 1)
        return CONSOLE_USAGE;
    options->path = operands.items[0];
    return CONSOLE_DONE;
}

static void write_finding(const struct verify_finding *finding, struct text *out)
{
    if (finding->file[0] != '\0')
        text_add_string(out, finding->file);
    if (finding->line > 0)
        text_add_format(out, ":%" PRIu64, finding->line);
    text_add_format(out, "%s%s%s\n", finding->file[0] != '\0' ? ": " : "",
                    verify_kind_damage(finding->kind) ? "" : "note: ", finding->message);
}

static void write_good(const struct options *options, const struct verify_report *report, struct text *out)
{
    char numbers[VERIFY_NUMBERS];

    text_add_format(out, "%s: ok, %" PRIu64 " record%s in %" PRIu64 " segment%s, %s", options->path,
                    report->lines, report->lines == 1 ? "" : "s", report->segments,
                    report->segments == 1 ? "" : "s",
                    verify_numbers(report->first_seq, report->last_seq, numbers));
    text_add_format(
        out, ", %" PRIu64 " checkpoint%s up to number %" PRIu64 ", signed by %s+%02x%02x%02x%02x%s\n",
        report->checkpoints, report->checkpoints == 1 ? "" : "s", report->covered, report->signer.name,
        report->signer.id[0], report->signer.id[1], report->signer.id[2], report->signer.id[3],
        options->keys.count > 0 ? "" : " (the key in the directory: --key shows whether it is yours)");
}

static void write_report(const struct options *options, const struct verify_report *report, struct text *out)
{
    for (size_t i = 0; i < report->count; i++)
        write_finding(&report->findings[i], out);
    if (report->unlisted > 0)
        text_add_format(out, "and %" PRIu64 " more%s\n", report->unlisted,
                        report->failed ? ": memory is out" : "");
    if (report->damages == 0)
        write_good(options, report, out);
    else
        text_add_format(out, "%s: DAMAGED, %" PRIu64 " finding%s in %" PRIu64 " record%s\n", options->path,
                        report->damages, report->damages == 1 ? "" : "s", report->lines,
                        report->lines == 1 ? "" : "s");
}

static void write_json(const struct verify_report *report, struct text *out)
{
    struct text vkey = {0};

    text_add_format(out,
                    "{\"good\":%s,\"damages\":%" PRIu64 ",\"segments\":%" PRIu64 ",\"records\":%" PRIu64
                    ",\"bytes\":%" PRIu64 ",\"first_seq\":%" PRIu64 ",\"last_seq\":%" PRIu64
                    ",\"checkpoints\":%" PRIu64 ",\"covered\":%" PRIu64,
                    report->damages == 0 ? "true" : "false", report->damages, report->segments, report->lines,
                    report->bytes, report->first_seq, report->last_seq, report->checkpoints, report->covered);
    if (report->covered > 0) {
        note_key_write(&report->signer, &vkey);
        text_add_string(out, ",\"origin\":");
        text_add_json(out, span_of(report->origin));
        text_add_string(out, ",\"key\":");
        text_add_json(out, (struct span){vkey.data, vkey.length});
        text_free(&vkey);
    }
    text_add_format(out, ",\"unlisted\":%" PRIu64 ",\"findings\":[", report->unlisted);
    for (size_t i = 0; i < report->count; i++) {
        const struct verify_finding *finding = &report->findings[i];

        text_add_format(out, "%s{\"kind\":\"%s\",\"damage\":%s,\"file\":", i > 0 ? "," : "",
                        verify_kind_name(finding->kind),
                        verify_kind_damage(finding->kind) ? "true" : "false");
        text_add_json(out, span_of(finding->file));
        text_add_format(out, ",\"line\":%" PRIu64 ",\"message\":", finding->line);
        text_add_json(out, span_of(finding->message));
        text_add_string(out, "}");
    }
    text_add_string(out, "]}\n");
}

static void on_progress(void *arg, uint64_t done, uint64_t all)
{
    progress_update(arg, done, all);
}

static int verify(const struct options *options)
{
    struct verify_report report;
    struct progress progress;
    struct text out = {0};
    char error[512];

    progress_start(&progress);
    bool judged =
        verify_run(&(struct verify_options){.path = options->path,
                                            .trust = options->keys.count > 0 ? &options->keys : NULL,
                                            .checkpoints = options->checkpoints,
                                            .checkpoint_count = options->checkpoint_count,
                                            .uncovered_us = options->uncovered_us,
                                            .progress = on_progress,
                                            .arg = &progress},
                   &report, error, sizeof error);
    progress_end(&progress);

    int status = !judged ? CONSOLE_BAD : report.damages > 0 || report.failed ? CONSOLE_NO : CONSOLE_DONE;
    if (!judged)
        output_fault("%s", error);
    else if (options->json)
        write_json(&report, &out);
    else
        write_report(options, &report, &out);
    output_text(stdout, &out);
    verify_report_free(&report);
    return status;
}

int audit_verify(int argc, char **argv)
{
    struct options options = {.uncovered_us = UNCOVERED_US};
    int status = read_options(argc, argv, &options);

    if (status == CONSOLE_DONE)
        status = verify(&options);
    trust_free(&options.keys);
    return status;
}
