/* The policy and the contract that a command works with: those of a configuration, or files named one by one.
 */
#ifndef PROXY_CONSOLE_JUDGED_BY_H
#define PROXY_CONSOLE_JUDGED_BY_H

#include "proxy/service/ruleset.h"

/* Paths; NULL where not given. */
struct judged_by {
    const char *config;   /* -c FILE */
    const char *policy;   /* --policy FILE, before the configuration's */
    const char *contract; /* --contract FILE, likewise */
};

/* Is enough given: a configuration, or both files? */
bool judged_by_complete(const struct judged_by *judged_by);

/* Loads them as the gate would, but for credentials. NULL when there are errors; all of them are in
 * `problems`. The caller holds one reference. */
struct ruleset *judged_by_load(const struct judged_by *judged_by, struct problems *problems);

#endif
