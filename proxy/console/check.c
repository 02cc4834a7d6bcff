#include "policies/lint.h"
#include "proxy/base/clock.h"
#include "proxy/console/options.h"
#include "proxy/console/output.h"
#include "proxy/service/ruleset.h"
#include "proxy/tls/server.h"

struct options {
    const char *config;
    bool json, strict;
};

/* CONSOLE_DONE, or what the table is to show. */
static int read_options(int argc, char **argv, struct options *options)
{
    const struct option_row rows[] = {{"config", 'c', .text = &options->config},
                                      {"json", .flag = &options->json},
                                      {"strict", .flag = &options->strict},
                                      {0}};
    struct operands operands;
    int status = options_read(argc, argv, rows, &operands);

    if (status == CONSOLE_DONE && (options->config == NULL || operands.count > 0))
        status = CONSOLE_USAGE;
    return status;
}

static void add_count(struct text *line, size_t count, const char *one, const char *many)
{
    text_add_format(line, ", %zu %s", count, count == 1 ? one : many);
}

static void write_summary(const struct options *options, const struct ruleset *ruleset, size_t warnings)
{
    struct text line = {0};
    size_t operations;

    (void)contract_operations(ruleset_contract(ruleset), &operations);
    text_add_format(&line, "%s: ok", options->config);
    add_count(&line, operations, "operation", "operations");
    add_count(&line, policy_principal_count(ruleset_policy(ruleset)), "principal", "principals");
    add_count(&line, ruleset_organization_count(ruleset), "organisation", "organisations");
    if (warnings > 0)
        add_count(&line, warnings, "warning", "warnings");
    text_add_string(&line, "\n");
    output_text(stdout, &line);
}

static bool changes_anything(const struct contract *contract)
{
    size_t count;
    const struct operation *operations = contract_operations(contract, &count);

    for (size_t i = 0; i < count; i++)
        if (operations[i].effect != EFFECT_READ)
            return true;
    return false;
}

/* What the gate will not be able to do later is said now. */
static void examine_reconcile(const struct ruleset *ruleset, const char *policy, struct problems *problems)
{
    const struct reconcile_settings *settings = policy_reconcile(ruleset_policy(ruleset));

    if (settings->credential != CREDENTIAL_OWN || settings->declined ||
        !changes_anything(ruleset_contract(ruleset)))
        return;
    const struct document named = {.name = (char *)(uintptr_t)path_shown(policy)}; /* only read */
    problems_add(problems, SEVERITY_WARNING, &named, "",
                 "no reconcile.upstream_token: when the answer to a change never comes, the journal will "
                 "say \"unknown\". Name a key that can only read, or null to leave it at that");
}

/* What is legal, but most likely not meant. */
static void lint(const struct ruleset *ruleset, const char *policy, struct problems *problems)
{
    struct document document;

    if (file_read_document(&document, policy, RULESET_FILE_LIMIT, problems))
        policy_lint(ruleset_policy(ruleset), ruleset_contract(ruleset), &document, clock_now_us() / 1000000,
                    problems);
    document_free(&document);
}

void console_check_manual(struct text *out)
{
    text_add_string(
        out, "\nKinds of what is legal and most likely not meant, which stand in brackets behind it:\n");
    for (const struct lint_check *check = lint_checks(); check->code != NULL; check++)
        text_add_format(out, "  %-26s  %s\n", check->code, check->meaning);
    text_add_string(out, "\nSettings of the configuration file (JSON; paths are relative to it):\n");
    config_write_manual(out);
}

static void write_json(const struct problems *problems)
{
    struct text array = {0};

    problems_write_json(problems, &array);
    text_add_string(&array, "\n");
    output_text(stdout, &array);
}

int console_check(int argc, char **argv)
{
    struct options options = {0};
    struct problems problems = {0};
    int status = read_options(argc, argv, &options);

    if (status != CONSOLE_DONE)
        return status;
    struct config *config = config_examine(options.config, &problems);
    struct ruleset *ruleset = config ? ruleset_load(config, false, &problems) : NULL;

    if (config != NULL && config->tls.certificate != NULL && config->tls.key != NULL)
        tls_server_examine(config, &problems);
    if (ruleset != NULL) {
        examine_reconcile(ruleset, config->policy, &problems);
        lint(ruleset, config->policy, &problems);
    }
    if (options.json)
        write_json(&problems);
    else
        output_problems(&problems);
    if (ruleset == NULL || problems.errors > 0 || (options.strict && problems.count > 0))
        status = CONSOLE_NO;
    else if (!options.json)
        write_summary(&options, ruleset, problems.count);
    ruleset_release(ruleset);
    config_free(config);
    problems_free(&problems);
    return status;
}
