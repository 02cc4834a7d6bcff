/* Runs a program with a text on its standard input, for a bounded time and output. */
#ifndef PROXY_BASE_COMMAND_H
#define PROXY_BASE_COMMAND_H

#include "policies/text.h"

struct command {
    char *const *argv; /* argv[0] is looked for in PATH when it holds no slash */
    struct span input;
    size_t output_most;
    unsigned timeout_ms;
};

#define COMMAND_FAULT 256

/* Runs it in a process group of its own and waits. It gets three descriptors and, of the environment, only
 * what such programs need to find their way (PATH, HOME, the locale, proxies, certificates): the gate's own
 * may hold secrets. True when it ended with status 0: all it wrote to its standard output is then in
 * `output`. Otherwise `fault` says why, with the beginning of what it wrote to its standard error; the group
 * is killed when its time is over. */
bool command_run(const struct command *command, struct text *output, char fault[static COMMAND_FAULT]);

#endif
