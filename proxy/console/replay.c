/* `portcullis replay`: what another policy would have said to what was asked. */
#include "proxy/console/replay.h"

#include "proxy/audit/trail.h"
#include "proxy/base/progress.h"
#include "proxy/console/audit.h"
#include "proxy/console/judged_by.h"
#include "proxy/console/options.h"

#include <inttypes.h>
#include <stdlib.h>

#define PROGRESS_LINES 4096
#define NAMES_COUNTED  10000 /* of each kind; more count as one */
#define OTHERS         "(others)"

struct options {
    struct judged_by judged_by;
    struct operands journals;
    bool json, summary;
};

enum group { BY_PRINCIPAL, BY_ORGANIZATION, BY_OPERATION, GROUPS };

static const char *const groups[GROUPS] = {"principal", "organization", "operation"};

/* A replay under way. */
struct replay {
    const struct options *options;
    struct replay_judge judge;
    struct scan scan;
    struct progress progress;
    struct text out;
    uint64_t lines, unreadable;
    uint64_t answers[REPLAY_ANSWERS], gaps[GAPS];
    json_t *counts[GROUPS]; /* name -> [refused, approval, allowed] */
    bool listed;            /* a change was printed */
    bool broken;            /* stdout takes no more, or memory is out */
};

/* ---- options ---- */

static int read_options(int argc, char **argv, struct options *options)
{
    const struct option_row rows[] = {{"config", 'c', .text = &options->judged_by.config},
                                      {"policy", .text = &options->judged_by.policy},
                                      {"contract", .text = &options->judged_by.contract},
                                      {"summary", .flag = &options->summary},
                                      {"json", .flag = &options->json},
                                      {0}};
    int status = options_read(argc, argv, rows, &options->journals);

    if (status == CONSOLE_DONE && (!judged_by_complete(&options->judged_by) || options->journals.count == 0))
        status = CONSOLE_USAGE;
    return status;
}

/* ---- counting ---- */

/* The counts of the name, [refused, approval, allowed]; NULL when memory is out. */
static json_t *counts_of(json_t *names, const char *name)
{
    json_t *found = json_object_get(names, name);

    if (found != NULL)
        return found;
    if (json_object_size(names) >= NAMES_COUNTED && strcmp(name, OTHERS) != 0)
        return counts_of(names, OTHERS);
    found = json_pack("[i,i,i]", 0, 0, 0);
    return found != NULL && json_object_set_new(names, name, found) == 0 ? found : NULL;
}

static void count_change(struct replay *replay, enum replay_answer answer)
{
    char name[512];

    for (size_t i = 0; i < GROUPS; i++) {
        struct span text = scan_text(scan_find(&replay->scan, groups[i]));

        (void)snprintf(name, sizeof name, "%.*s", (int)text.length, text.data != NULL ? text.data : "-");
        json_t *number = json_array_get(counts_of(replay->counts[i], name), answer - REPLAY_REFUSED);
        if (number == NULL || json_integer_set(number, json_integer_value(number) + 1) != 0)
            replay->broken = true;
    }
}

/* ---- what is printed ---- */

static const char *const columns[] = {"time", "principal", "operation", "organization", "resource"};

#define COLUMNS (sizeof columns / sizeof *columns)

static void write_row(struct replay *replay, const struct replay_finding *finding)
{
    struct text *out = &replay->out;

    if (!replay->listed)
        text_add_string(out, "NOW       TIME  PRINCIPAL  OPERATION  ORGANIZATION  RESOURCE  BY\n");
    text_add_format(out, "%-8s", replay_answer_name(finding->answer));
    for (size_t i = 0; i < COLUMNS; i++) {
        struct span value = scan_find(&replay->scan, columns[i]);

        text_add_string(out, "  ");
        if (value.data != NULL)
            audit_add_value(out, value);
        else
            text_add_string(out, "-");
    }
    text_add_string(out, "  ");
    audit_add_shown(out, span_of(finding->rule));
    text_add_string(out, "\n");
}

static void write_row_json(struct replay *replay, const struct replay_finding *finding)
{
    struct text *out = &replay->out;

    text_add_format(out, "%s\n{\"now\":\"%s\"", replay->listed ? "," : "",
                    replay_answer_name(finding->answer));
    for (size_t i = 0; i < COLUMNS; i++) {
        struct span value = scan_find(&replay->scan, columns[i]);

        if (value.data != NULL)
            text_add_format(out, ",\"%s\":%.*s", columns[i], (int)value.length, value.data);
    }
    text_add_string(out, ",\"request_id\":");
    text_add_json(out, scan_text(scan_find(&replay->scan, "request_id")));
    text_add_string(out, ",\"rule\":");
    text_add_json(out, span_of(finding->rule));
    text_add_string(out, ",\"code\":");
    text_add_json(out, span_of(finding->code));
    text_add_string(out, "}");
}

static void tell_change(struct replay *replay, const struct replay_finding *finding)
{
    count_change(replay, finding->answer);
    if (replay->options->summary)
        return;
    if (replay->options->json)
        write_row_json(replay, finding);
    else
        write_row(replay, finding);
    replay->listed = true;
    progress_end(&replay->progress);
    replay->broken = replay->broken || !audit_print(&replay->out);
}

static void write_group(struct replay *replay, enum group group)
{
    const char *name;
    json_t *counts;

    json_object_foreach (replay->counts[group], name, counts) {
        text_add_format(&replay->out, "  %-12s  ", groups[group]);
        audit_add_shown(&replay->out, span_of(name));
        for (size_t i = 0; i < json_array_size(counts); i++)
            text_add_format(&replay->out, "%s%" JSON_INTEGER_FORMAT " %s", i == 0 ? "  " : ", ",
                            json_integer_value(json_array_get(counts, i)),
                            replay_answer_name((enum replay_answer)(REPLAY_REFUSED + i)));
        text_add_string(&replay->out, "\n");
    }
}

static void write_end(struct replay *replay)
{
    const uint64_t *answers = replay->answers;
    uint64_t changed = answers[REPLAY_REFUSED] + answers[REPLAY_APPROVAL] + answers[REPLAY_ALLOWED];

    text_add_format(&replay->out,
                    "judged again %" PRIu64 ": the same %" PRIu64 ", would be refused %" PRIu64
                    ", would wait for approval %" PRIu64 ", would be allowed %" PRIu64 "\n",
                    answers[REPLAY_SAME] + changed, answers[REPLAY_SAME], answers[REPLAY_REFUSED],
                    answers[REPLAY_APPROVAL], answers[REPLAY_ALLOWED]);
    for (enum group group = 0; group < GROUPS; group++)
        write_group(replay, group);
    text_add_format(&replay->out, "cannot be judged again %" PRIu64 "\n", answers[REPLAY_GAP]);
    for (enum replay_gap gap = GAP_NONE + 1; gap < GAPS; gap++)
        if (replay->gaps[gap] > 0)
            text_add_format(&replay->out, "  %-20s  %" PRIu64 "  %s\n", replay_gap_name(gap),
                            replay->gaps[gap], replay_gap_meaning(gap));
}

static void write_group_json(struct replay *replay, enum group group)
{
    const char *name, *separator = "";
    json_t *counts;

    text_add_format(&replay->out, ",\"by_%s\":{", groups[group]);
    json_object_foreach (replay->counts[group], name, counts) {
        text_add_string(&replay->out, separator);
        text_add_json(&replay->out, span_of(name));
        for (size_t i = 0; i < json_array_size(counts); i++)
            text_add_format(&replay->out, "%s\"%s\":%" JSON_INTEGER_FORMAT, i == 0 ? ":{" : ",",
                            replay_answer_name((enum replay_answer)(REPLAY_REFUSED + i)),
                            json_integer_value(json_array_get(counts, i)));
        text_add_string(&replay->out, "}");
        separator = ",";
    }
    text_add_string(&replay->out, "}");
}

static void write_end_json(struct replay *replay)
{
    const char *separator = "";

    text_add_string(&replay->out, "\n]");
    for (enum replay_answer answer = REPLAY_SAME; answer < REPLAY_ANSWERS; answer++)
        text_add_format(&replay->out, ",\"%s\":%" PRIu64, replay_answer_name(answer),
                        replay->answers[answer]);
    for (enum group group = 0; group < GROUPS; group++)
        write_group_json(replay, group);
    text_add_string(&replay->out, ",\"undecided\":{");
    for (enum replay_gap gap = GAP_NONE + 1; gap < GAPS; gap++) {
        if (replay->gaps[gap] == 0)
            continue;
        text_add_format(&replay->out, "%s\"%s\":%" PRIu64, separator, replay_gap_name(gap),
                        replay->gaps[gap]);
        separator = ",";
    }
    text_add_format(&replay->out, "},\"unreadable\":%" PRIu64 "}\n", replay->unreadable);
}

/* ---- reading ---- */

static void take_line(struct replay *replay, struct span line)
{
    struct replay_finding finding;

    if (!scan_line(line, &replay->scan)) {
        replay->unreadable++;
        return;
    }
    replay_judge_line(&replay->judge, &replay->scan, &finding);
    replay->answers[finding.answer]++;
    if (finding.answer == REPLAY_GAP)
        replay->gaps[finding.gap]++;
    if (finding.answer >= REPLAY_REFUSED)
        tell_change(replay, &finding);
}

/* False with a message. */
static bool read_path(struct replay *replay, const char *path, char *error, size_t error_size)
{
    struct trail *trail = trail_open(path, error, error_size);
    enum trail_state state = TRAIL_END;
    struct trail_line line;
    uint64_t done, all;

    if (trail == NULL)
        return false;
    while (!replay->broken && (state = trail_next(trail, &line)) != TRAIL_END && state != TRAIL_ERROR) {
        if (state == TRAIL_LINE)
            take_line(replay, line.text);
        replay->unreadable += state == TRAIL_TOO_LONG;
        if (++replay->lines % PROGRESS_LINES == 0) {
            trail_progress(trail, &done, &all);
            progress_update(&replay->progress, done, all);
        }
    }
    if (state == TRAIL_ERROR)
        snprintf(error, error_size, "%s", trail_error(trail));
    trail_free(trail);
    return state != TRAIL_ERROR && !replay->broken;
}

static bool read_all(struct replay *replay)
{
    const struct options *options = replay->options;
    char error[512] = "the output could not be written";
    bool read = true;

    for (size_t i = 0; i < options->journals.count && read; i++) {
        progress_start(&replay->progress);
        read = read_path(replay, options->journals.items[i], error, sizeof error);
        progress_end(&replay->progress);
    }
    if (!read)
        output_fault("%s", error);
    return read;
}

static int run(struct replay *replay)
{
    if (replay->options->json)
        text_add_string(&replay->out, "{\"changes\":[");
    if (!read_all(replay))
        return CONSOLE_BAD;
    if (replay->options->json)
        write_end_json(replay);
    else
        write_end(replay);
    if (!audit_print(&replay->out) || fflush(stdout) != 0)
        return CONSOLE_BAD;
    if (replay->unreadable > 0) { /* whether these would have changed is not known */
        output_fault("lines that are no records: %" PRIu64 "; they were not judged", replay->unreadable);
        return CONSOLE_BAD;
    }
    return replay->answers[REPLAY_REFUSED] + replay->answers[REPLAY_APPROVAL] +
                       replay->answers[REPLAY_ALLOWED] >
                   0
               ? CONSOLE_NO
               : CONSOLE_DONE;
}

static int replay_with(const struct options *options, const struct ruleset *ruleset)
{
    struct replay *replay = calloc(1, sizeof *replay);
    int status = CONSOLE_BAD;
    bool ready = replay != NULL &&
                 replay_judge_begin(&replay->judge, ruleset_contract(ruleset), ruleset_policy(ruleset));

    for (size_t i = 0; i < GROUPS && ready; i++)
        ready = (replay->counts[i] = json_object()) != NULL;
    if (ready) {
        replay->options = options;
        status = run(replay);
    } else {
        output_fault("memory is out");
    }
    if (replay != NULL) {
        for (size_t i = 0; i < GROUPS; i++)
            json_decref(replay->counts[i]);
        replay_judge_end(&replay->judge);
        text_free(&replay->out);
    }
    free(replay);
    return status;
}

int console_replay(int argc, char **argv)
{
    struct options options = {0};
    struct problems problems = {0};
    int status = read_options(argc, argv, &options);

    if (status != CONSOLE_DONE)
        return status;
    struct ruleset *ruleset = judged_by_load(&options.judged_by, &problems);
    if (ruleset != NULL) {
        status = replay_with(&options, ruleset);
    } else {
        output_problems(&problems);
        status = CONSOLE_BAD;
    }
    ruleset_release(ruleset);
    problems_free(&problems);
    return status;
}
