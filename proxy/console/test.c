#include "proxy/console/cases.h"
#include "proxy/console/options.h"
#include "proxy/console/output.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define PIECE ((size_t)1 << 20) /* written out when there is that much */

struct options {
    struct judged_by judged_by;
    const char *junit;
    struct operands files;
    unsigned least; /* coverage, percent */
    bool json, print;
};

struct run {
    const struct options *options;
    struct config *config; /* NULL: none is named */
    struct suite *suites;
    struct law **laws; /* of each suite */
    struct law *first;
    struct pattern_scratch *scratch;
    struct made_request made;
    struct problems problems;
    struct text out, junit;
    const char *separator; /* before the next result in JSON */
    size_t count, failed;
};

static int take_percent(const struct option_row *row, const char *text)
{
    unsigned *percent = row->arg;
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (end == text || *end != '\0' || text[0] == '-' || value > 100)
        return CONSOLE_USAGE;
    *percent = (unsigned)value;
    return CONSOLE_DONE;
}

static int read_options(int argc, char **argv, struct options *options)
{
    const struct option_row rows[] = {{"config", 'c', .text = &options->judged_by.config},
                                      {"policy", .text = &options->judged_by.policy},
                                      {"contract", .text = &options->judged_by.contract},
                                      {"junit", .text = &options->junit},
                                      {"min-coverage", .take = take_percent, .arg = &options->least},
                                      {"print", .flag = &options->print},
                                      {"json", .flag = &options->json},
                                      {0}};
    int status = options_read(argc, argv, rows, &options->files);

    if (status == CONSOLE_DONE && (options->files.count == 0 || (options->print && !options->json)))
        status = CONSOLE_USAGE;
    return status;
}

static void note(struct run *run, const char *message)
{
    problems_add(&run->problems, SEVERITY_ERROR, NULL, "", "%s", message);
}

/* ---- loading ---- */

static bool read_suites(struct run *run)
{
    const struct options *options = run->options;
    const struct suite_defaults defaults = {
        .host = made_host(run->config), .now = (int64_t)time(NULL), .expectations = !options->print};

    run->suites = calloc(options->files.count, sizeof *run->suites);
    run->laws = calloc(options->files.count, sizeof *run->laws);
    if (run->suites == NULL || run->laws == NULL) {
        note(run, "memory is out");
        return false;
    }
    for (size_t i = 0; i < options->files.count; i++)
        (void)suite_read(&run->suites[i], options->files.items[i], &defaults, &run->problems);
    return run->problems.errors == 0;
}

static bool load_laws(struct run *run)
{
    for (size_t i = 0; i < run->options->files.count; i++) {
        run->laws[i] =
            law_of(&run->first, &run->options->judged_by, run->config, &run->suites[i], &run->problems);
        if (run->laws[i] != NULL)
            law_check(run->laws[i], &run->suites[i], &run->problems);
    }
    return run->problems.errors == 0;
}

/* ---- judging ---- */

/* Counts a result and tells it. */
static void tell(struct run *run, const struct case_result *result)
{
    if (run->options->json) {
        text_add_string(&run->out, run->separator);
        run->separator = ",\n";
        case_write_json(result, &run->out);
    } else if (result->differences != NULL) {
        case_write_failed(result, &run->out);
    }
    if (run->options->junit != NULL)
        case_write_junit(result, &run->junit);
    run->count++;
    run->failed += result->differences != NULL;
    if (run->out.length < PIECE)
        return;
    (void)fwrite(run->out.data, 1, run->out.length, stdout);
    text_clear(&run->out);
}

static bool judge(struct run *run, const struct suite *suite, struct law *law, const struct test_case *test,
                  struct arena *arena)
{
    struct decide_input input = {.contract = ruleset_contract(law->ruleset),
                                 .policy = ruleset_policy(law->ruleset),
                                 .scratch = run->scratch,
                                 .oauth = {.keys = ruleset_keys(law->ruleset)}};
    struct case_difference *differences;
    struct case_finding finding;
    struct decision decision;

    if (test->principal != NULL)
        input.assume = policy_principal_named(input.policy, span_of(test->principal));
    made_request_make(&run->made, &test->request);
    made_request_judge(&input, &run->made.request, run->config, arena, &decision);
    case_find(input.policy, &decision, &finding);
    coverage_note(&law->coverage, input.policy, &decision);
    bool right = case_compare(&test->expect, &finding, arena, &differences);
    if (right)
        tell(run, &(struct case_result){
                      .suite = suite, .test = test, .finding = &finding, .differences = differences});
    decision_free(&decision);
    return right;
}

static bool judge_cell(struct run *run, const struct suite *suite, struct law *law,
                       const struct test_cell *test, struct arena *arena)
{
    const struct policy *policy = ruleset_policy(law->ruleset);
    struct case_difference difference = {.what = "verdict", .expected = cell_word(test->expect)};
    struct cell cell;

    if (!cell_judge(test, ruleset_contract(law->ruleset), policy, suite->now, arena, &cell))
        return false;
    coverage_note_cell(&law->coverage, policy, &cell);
    difference.found = cell_word(cell.verdict);
    tell(run, &(struct case_result){.suite = suite,
                                    .test_cell = test,
                                    .cell = &cell,
                                    .differences = cell.verdict == test->expect ? NULL : &difference});
    return true;
}

static bool judge_cases(struct run *run, struct arena *arena)
{
    bool right = true;

    for (size_t i = 0; i < run->options->files.count && right; i++) {
        for (size_t at = 0; at < run->suites[i].case_count && right; at++) {
            right = judge(run, &run->suites[i], run->laws[i], &run->suites[i].cases[at], arena);
            arena_reset(arena);
        }
    }
    return right;
}

static bool judge_cells(struct run *run, struct arena *arena)
{
    bool right = true;

    for (size_t i = 0; i < run->options->files.count && right; i++) {
        for (size_t at = 0; at < run->suites[i].cell_count && right; at++) {
            right = judge_cell(run, &run->suites[i], run->laws[i], &run->suites[i].cells[at], arena);
            arena_reset(arena);
        }
    }
    return right;
}

/* All cases of all files, then all cells. */
static bool judge_all(struct run *run)
{
    struct arena arena;

    arena_init(&arena);
    run->separator = "";
    if (run->options->json)
        text_add_string(&run->out, "{\"cases\":[");
    bool right = judge_cases(run, &arena);
    run->separator = "";
    if (run->options->json)
        text_add_string(&run->out, "],\"table\":[");
    return right && judge_cells(run, &arena);
}

/* ---- the end ---- */

static bool covered(const struct run *run)
{
    for (const struct law *law = run->first; law != NULL; law = law->next)
        if (coverage_percent(&law->coverage) < run->options->least)
            return false;
    return true;
}

static void write_end(struct run *run)
{
    const struct options *options = run->options;

    if (options->json)
        text_add_format(&run->out, "],\"passed\":%zu,\"failed\":%zu,\"coverage\":[", run->count - run->failed,
                        run->failed);
    for (const struct law *law = run->first; law != NULL; law = law->next) {
        const char *path = path_shown(law->policy);
        if (options->json && law != run->first)
            text_add_string(&run->out, ",");
        (options->json ? coverage_write_json : coverage_write)(&law->coverage, ruleset_policy(law->ruleset),
                                                               path, &run->out);
        if (!options->json && coverage_percent(&law->coverage) < options->least)
            text_add_format(&run->out, "%s: less than the %u%% asked for\n", path, options->least);
    }
    if (options->json)
        text_add_string(&run->out, "]}\n");
    else
        text_add_format(&run->out, "%zu cases: %zu passed, %zu failed\n", run->count,
                        run->count - run->failed, run->failed);
}

static bool write_junit(const struct run *run)
{
    struct text report = {0};
    FILE *file = fopen(run->options->junit, "we");

    junit_write(&run->junit, run->count, run->failed, &report);
    bool right =
        file != NULL && !report.failed && fwrite(report.data, 1, report.length, file) == report.length;
    right = (file == NULL || fclose(file) == 0) && right;
    if (!right)
        output_fault("cannot write %s: %s", run->options->junit, strerrordesc_np(errno));
    text_free(&report);
    return right;
}

static int run_cases(struct run *run)
{
    const struct options *options = run->options;

    if (options->judged_by.config != NULL &&
        (run->config = config_read(options->judged_by.config, &run->problems)) == NULL)
        return CONSOLE_BAD;
    if (!read_suites(run) || !load_laws(run))
        return CONSOLE_BAD;
    run->scratch = pattern_scratch_new();
    if (run->scratch == NULL || !judge_all(run)) {
        note(run, "memory is out");
        return CONSOLE_BAD;
    }
    write_end(run);
    int status = run->out.failed || run->junit.failed ? CONSOLE_BAD
                 : run->failed > 0 || !covered(run)   ? CONSOLE_NO
                                                      : CONSOLE_DONE;
    output_text(stdout, &run->out);
    return options->junit != NULL && !write_junit(run) ? CONSOLE_BAD : status;
}

static void run_free(struct run *run)
{
    for (struct law *law; (law = run->first) != NULL;) {
        run->first = law->next;
        law_free(law);
    }
    for (size_t i = 0; run->suites != NULL && i < run->options->files.count; i++)
        if (run->suites[i].path != NULL)
            suite_free(&run->suites[i]);
    free(run->suites);
    free(run->laws);
    pattern_scratch_free(run->scratch);
    config_free(run->config);
    made_request_wipe(&run->made);
    problems_free(&run->problems);
    text_free(&run->out);
    text_free(&run->junit);
}

int console_test(int argc, char **argv)
{
    struct options options = {0};
    struct run run = {.options = &options};
    int status = read_options(argc, argv, &options);

    if (status != CONSOLE_DONE)
        return status;
    status = run_cases(&run);
    output_problems(&run.problems);
    run_free(&run);
    return status;
}
