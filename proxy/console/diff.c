/* `portcullis diff`: what another policy changes in meaning. */
#include "policies/diff.h"

#include "proxy/console/audit.h"
#include "proxy/console/judged_by.h"
#include "proxy/console/options.h"

#include <inttypes.h>
#include <stdlib.h>

#define FILE_LIMIT (64ul * 1024 * 1024) /* as for what the gate loads */

struct options {
    const char *config, *contract; /* one contract for both … */
    const char *contracts[2];      /* … or the old one and the new one */
    const char *policies[2];
    bool json;
};

/* ---- options ---- */

static int read_options(int argc, char **argv, struct options *options)
{
    const struct option_row rows[] = {{"config", 'c', .text = &options->config},
                                      {"contract", .text = &options->contract},
                                      {"old-contract", .text = &options->contracts[0]},
                                      {"new-contract", .text = &options->contracts[1]},
                                      {"json", .flag = &options->json},
                                      {0}};
    struct operands policies;
    int status = options_read(argc, argv, rows, &policies);

    if (status != CONSOLE_DONE)
        return status;
    bool two = options->contracts[0] != NULL && options->contracts[1] != NULL;
    bool none = options->contracts[0] == NULL && options->contracts[1] == NULL;
    int ways = (options->config != NULL) + (options->contract != NULL) + two;
    if (ways != 1 || (!two && !none) || policies.count != 2)
        return CONSOLE_USAGE;
    options->policies[0] = policies.items[0];
    options->policies[1] = policies.items[1];
    return CONSOLE_DONE;
}

/* ---- what is printed ---- */

/* A diff being printed. */
struct printing {
    const struct options *options;
    struct text out;
    uint64_t counts[CHANGE_SENSES];
    bool begun, broken;
};

static void add_line(struct text *out, const char *name, const char *value)
{
    text_add_format(out, "    %-9s", name);
    audit_add_shown(out, span_of(value));
    text_add(out, "\n", 1);
}

static void write_change(const struct change *change, struct text *out)
{
    text_add_format(out, "%-14s %s: ", change_sense_name(change->sense), change->what);
    audit_add_shown(out, span_of(change->subject));
    text_add(out, "\n", 1);
    if (change->before != NULL || change->after != NULL) {
        add_line(out, "before:", change->before != NULL ? change->before : "none");
        add_line(out, "after:", change->after != NULL ? change->after : "none");
    }
    if (change->detail != NULL)
        add_line(out, "why:", change->detail);
    if (change->witness != NULL)
        add_line(out, "witness:", change->witness);
}

static void add_member(struct text *out, const char *name, const char *value)
{
    if (value == NULL)
        return;
    text_add_string(out, name);
    text_add_json(out, span_of(value));
}

static void write_change_json(const struct change *change, bool first, struct text *out)
{
    add_member(out, first ? "\n{\"sense\":" : ",\n{\"sense\":", change_sense_name(change->sense));
    add_member(out, ",\"what\":", change->what);
    add_member(out, ",\"subject\":", change->subject);
    add_member(out, ",\"principal\":", change->principal);
    add_member(out, ",\"organization\":", change->organization);
    add_member(out, ",\"operation\":", change->operation);
    add_member(out, ",\"before\":", change->before);
    add_member(out, ",\"after\":", change->after);
    add_member(out, ",\"detail\":", change->detail);
    if (change->witness != NULL)
        text_add_format(out, ",\"witness\":%s", change->witness);
    text_add_string(out, "}");
}

static void on_change(void *arg, const struct change *change)
{
    struct printing *printing = arg;

    printing->counts[change->sense]++;
    if (printing->options->json)
        write_change_json(change, !printing->begun, &printing->out);
    else
        write_change(change, &printing->out);
    printing->begun = true;
    printing->broken = printing->broken || !audit_print(&printing->out);
}

static void write_end(struct printing *printing)
{
    const uint64_t *counts = printing->counts;

    if (printing->options->json)
        text_add_format(&printing->out,
                        "\n],\"gained\":%" PRIu64 ",\"may_be_gained\":%" PRIu64 ",\"lost\":%" PRIu64
                        ",\"changed\":%" PRIu64 "}\n",
                        counts[CHANGE_GAINED], counts[CHANGE_MAYBE], counts[CHANGE_LOST],
                        counts[CHANGE_OTHER]);
    else
        text_add_format(&printing->out,
                        "%" PRIu64 " gained, %" PRIu64 " may be gained, %" PRIu64 " lost, %" PRIu64
                        " changed otherwise\n",
                        counts[CHANGE_GAINED], counts[CHANGE_MAYBE], counts[CHANGE_LOST],
                        counts[CHANGE_OTHER]);
    printing->broken = printing->broken || !audit_print(&printing->out);
}

/* ---- the two sides ---- */

struct loaded {
    struct ruleset *ruleset;
    struct document policy, contract;
};

static bool read_document(struct document *document, const char *path, struct problems *problems)
{
    const char *fault;
    struct text text = {0};
    bool right = file_read(path, FILE_LIMIT, &text, &fault);

    if (right)
        right = document_read(document, path_shown(path), (struct span){text.data, text.length}, problems);
    else
        problems_add_at(problems, path_shown(path), 0, 0, "cannot read it: %s", fault);
    text_free(&text);
    return right;
}

static bool load(struct loaded *loaded, const char *policy, const char *contract, struct problems *problems)
{
    const struct judged_by judged_by = {.policy = policy, .contract = contract};

    loaded->ruleset = judged_by_load(&judged_by, problems);
    return loaded->ruleset != NULL && read_document(&loaded->policy, policy, problems) &&
           read_document(&loaded->contract, contract, problems);
}

static void unload(struct loaded *loaded)
{
    ruleset_release(loaded->ruleset);
    document_free(&loaded->policy);
    document_free(&loaded->contract);
}

static struct diff_side side_of(const struct loaded *loaded)
{
    return (struct diff_side){.policy = ruleset_policy(loaded->ruleset),
                              .contract = ruleset_contract(loaded->ruleset),
                              .policy_document = &loaded->policy,
                              .contract_document = &loaded->contract,
                              .keys = ruleset_keys(loaded->ruleset)};
}

static int compare(const struct options *options, const struct loaded *old, const struct loaded *new)
{
    struct printing printing = {.options = options};
    const struct diff_side before = side_of(old), now = side_of(new);

    if (options->json)
        text_add_string(&printing.out, "{\"changes\":[");
    bool whole = policy_diff(&before, &now, on_change, &printing);
    if (whole)
        write_end(&printing);
    else
        output_fault("memory is out: not all that differs was told");
    text_free(&printing.out);
    if (!whole || printing.broken || fflush(stdout) != 0)
        return CONSOLE_BAD;
    return printing.counts[CHANGE_GAINED] + printing.counts[CHANGE_MAYBE] > 0 ? CONSOLE_NO : CONSOLE_DONE;
}

/* The old contract and the new one. `config` is kept as long as they are used. */
static bool find_contracts(const struct options *options, struct config **config, const char *contracts[2],
                           struct problems *problems)
{
    contracts[0] = options->contract != NULL ? options->contract : options->contracts[0];
    contracts[1] = options->contract != NULL ? options->contract : options->contracts[1];
    if (options->config == NULL)
        return true;
    *config = config_read(options->config, problems);
    if (*config == NULL)
        return false;
    contracts[0] = contracts[1] = (*config)->contract;
    return true;
}

int console_diff(int argc, char **argv)
{
    struct options options = {0};
    struct problems problems = {0};
    struct loaded old = {0}, new = {0};
    struct config *config = NULL;
    const char *contracts[2];
    int status = read_options(argc, argv, &options);

    if (status != CONSOLE_DONE)
        return status;
    status = CONSOLE_BAD;
    if (find_contracts(&options, &config, contracts, &problems) &&
        load(&old, options.policies[0], contracts[0], &problems) &&
        load(&new, options.policies[1], contracts[1], &problems))
        status = compare(&options, &old, &new);
    else
        output_problems(&problems);
    unload(&old);
    unload(&new);
    config_free(config);
    problems_free(&problems);
    return status;
}
