/* The running gate: what its threads share, the workers, and the control thread that handles signals and
 * reloads. */
#ifndef PROXY_GATE_H
#define PROXY_GATE_H

#include "proxy/config/config.h"
#include "proxy/service/ruleset.h"

/* Serves until SIGTERM or SIGINT, then stops within the configured time. `port_file` (NULL for none) is
 * written once every address accepts. Reloads on SIGHUP, reopens the access log on SIGUSR1. The caller keeps
 * config; its reference of the ruleset is taken over, so that the ruleset can be freed when another has
 * replaced it. process_prepare must have been called. false when it could not start; the reason is in the
 * log. */
bool gate_run(const struct config *config, struct ruleset *ruleset, const char *port_file);

#endif
