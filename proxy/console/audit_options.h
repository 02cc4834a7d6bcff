/* What commands of `audit` that tell of one thing are told: PATH ID [--json]. */
#ifndef PROXY_CONSOLE_AUDIT_OPTIONS_H
#define PROXY_CONSOLE_AUDIT_OPTIONS_H

#include "proxy/console/options.h"

struct audit_options {
    const char *path, *id;
    bool json;
};

/* CONSOLE_DONE, or what the table is to show. */
int audit_options_read(int argc, char **argv, struct audit_options *options);

#endif
