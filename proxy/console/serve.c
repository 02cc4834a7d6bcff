#include "proxy/base/process.h"
#include "proxy/console/options.h"
#include "proxy/console/output.h"
#include "proxy/gate.h"

struct options {
    const char *config;
    const char *port_file;
};

/* CONSOLE_DONE, or what the table is to show. */
static int read_options(int argc, char **argv, struct options *options)
{
    const struct option_row rows[] = {
        {"config", 'c', .text = &options->config}, {"port-file", .text = &options->port_file}, {0}};
    struct operands operands;
    int status = options_read(argc, argv, rows, &operands);

    if (status == CONSOLE_DONE && (options->config == NULL || operands.count > 0))
        status = CONSOLE_USAGE;
    return status;
}

int console_serve(int argc, char **argv)
{
    struct options options = {0};
    struct problems problems = {0};
    int status = read_options(argc, argv, &options);

    if (status != CONSOLE_DONE)
        return status;
    process_prepare();
    if (!process_libevent_is_fixed()) {
        output_fault("the libevent in use lacks security fixes (Debian has them in 2.1.12-stable-8+deb12u1): "
                     "upgrade it");
        return CONSOLE_BAD;
    }
    struct config *config = config_read(options.config, &problems);
    struct ruleset *ruleset = config ? ruleset_load(config, true, &problems) : NULL;
    output_problems(&problems);
    problems_free(&problems);
    bool served = ruleset != NULL && gate_run(config, ruleset, options.port_file);
    config_free(config);
    return served ? CONSOLE_DONE : CONSOLE_BAD;
}
