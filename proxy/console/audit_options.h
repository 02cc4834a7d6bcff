/* What commands of `audit` have in common on their command lines. */
#ifndef PROXY_CONSOLE_AUDIT_OPTIONS_H
#define PROXY_CONSOLE_AUDIT_OPTIONS_H

#include "proxy/console/options.h"

/* take() of --key: adds one to the struct trust that is the row's arg. */
int audit_take_key(const struct option_row *row, const char *value);

/* What those that tell of one thing are told: PATH ID [--json]. */
struct audit_options {
    const char *path, *id;
    bool json;
};

/* CONSOLE_DONE, or what the table is to show. */
int audit_options_read(int argc, char **argv, struct audit_options *options);

#endif
