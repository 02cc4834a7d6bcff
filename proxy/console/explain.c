#include "proxy/console/explain.h"

#include "proxy/console/options.h"
#include "proxy/console/output.h"
#include "proxy/service/ruleset.h"

/* Adds to a list that has room for so many; false when it is full. */
static bool add(const char **list, size_t *count, size_t room, const char *value)
{
    if (*count == room)
        return false;
    list[(*count)++] = value;
    return true;
}

static int take_certificate(const struct option_row *row, const char *value)
{
    struct explain_options *options = row->arg;

    return add(options->certificates, &options->certificate_count, MADE_CERTIFICATES, value) ? CONSOLE_DONE
                                                                                             : CONSOLE_USAGE;
}

static int take_header(const struct option_row *row, const char *value)
{
    struct explain_options *options = row->arg;

    return add(options->headers, &options->header_count, MADE_FIELDS, value) ? CONSOLE_DONE : CONSOLE_USAGE;
}

static int read_options(int argc, char **argv, struct explain_options *options)
{
    const struct option_row rows[] = {{"config", 'c', .text = &options->config},
                                      {"principal", .text = &options->principal},
                                      {"token-stdin", .flag = &options->token_stdin},
                                      {"certificate", .take = take_certificate, .arg = options},
                                      {"body", .text = &options->body},
                                      {"header", 'H', .take = take_header, .arg = options},
                                      {"facts", .text = &options->facts},
                                      {"client", .text = &options->client},
                                      {"time", .text = &options->time},
                                      {"json", .flag = &options->json},
                                      {0}};
    struct operands request;
    int status = options_read(argc, argv, rows, &request);

    if (status != CONSOLE_DONE)
        return status;
    bool stdin_twice = options->token_stdin && options->body != NULL && strcmp(options->body, "-") == 0;
    bool one_identity =
        (options->principal != NULL) != (options->token_stdin || options->certificate_count > 0);
    if (options->config == NULL || !one_identity || stdin_twice || request.count != 2)
        return CONSOLE_USAGE;
    options->method = request.items[0];
    options->target = request.items[1];
    return CONSOLE_DONE;
}

static enum verdict judge(const struct decide_input *input, const struct request *request,
                          const struct config *config, bool json, struct arena *arena, struct text *out)
{
    struct decision decision;
    struct explanation explanation = {.input = input, .request = request, .decision = &decision};

    made_request_judge(input, request, config, arena, &decision);
    if (decision.arena != NULL) /* no limit stood before the gates */
        explanation.report_count = decide_report(input, &decision, explanation.reports, EXPLAIN_GATES);
    for (size_t i = 0; i < explanation.report_count; i++)
        if (strcmp(explanation.reports[i].gate, "rules") == 0)
            explanation.rules_reached = explanation.reports[i].state != GATE_NOT_REACHED;
    if (json)
        explain_write_json(&explanation, out);
    else
        explain_write(&explanation, out);
    enum verdict verdict = decision.verdict;
    decision_free(&decision);
    return verdict;
}

/* Judges by what was loaded and prints the result. */
static int explain(const struct explain_options *options, const struct config *config,
                   const struct ruleset *ruleset, struct problems *problems)
{
    struct decide_input input = {.contract = ruleset_contract(ruleset),
                                 .policy = ruleset_policy(ruleset),
                                 .scratch = pattern_scratch_new(),
                                 .oauth = {.keys = ruleset_keys(ruleset)}};
    struct explain_request request;
    struct arena arena;
    struct text out = {0};
    int status = CONSOLE_BAD;

    arena_init(&arena);
    if (options->principal != NULL)
        input.assume = policy_principal_named(input.policy, span_of(options->principal));
    const char *fault = explain_request_make(&request, options, config, &arena, problems);
    if (options->principal != NULL && input.assume == NULL)
        output_fault("the policy has no principal \"%s\"", options->principal);
    else if (fault != NULL || input.scratch == NULL)
        output_fault("%s", fault ? fault : "memory is out");
    else {
        enum verdict verdict = judge(&input, &request.made.request, config, options->json, &arena, &out);
        status = verdict == VERDICT_PASS ? CONSOLE_DONE : CONSOLE_NO;
        status = out.failed ? CONSOLE_BAD : status;
        output_text(stdout, &out);
    }
    explain_request_wipe(&request);
    arena_reset(&arena);
    pattern_scratch_free(input.scratch);
    return status;
}

int console_explain(int argc, char **argv)
{
    struct explain_options options = {0};
    struct problems problems = {0};
    int status = read_options(argc, argv, &options);

    if (status != CONSOLE_DONE)
        return status;
    struct config *config = config_read(options.config, &problems);
    struct ruleset *ruleset = config ? ruleset_load(config, false, &problems) : NULL;

    if (ruleset != NULL) {
        problems_free(&problems); /* warnings are for `check` */
        status = explain(&options, config, ruleset, &problems);
        output_problems(&problems);
    } else {
        output_problems(&problems);
        status = CONSOLE_BAD;
    }
    ruleset_release(ruleset);
    config_free(config);
    problems_free(&problems);
    return status;
}
