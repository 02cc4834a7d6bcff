/* The control thread: signals, reloads, and the record that a policy came into force. */
#ifndef PROXY_CONTROL_H
#define PROXY_CONTROL_H

#include "proxy/ruleset.h"
#include "proxy/service.h"

struct worker;

struct control_task {
    struct service *service;
    struct worker **workers;
    unsigned worker_count;
};

/* Runs in the calling thread until SIGTERM or SIGINT. SIGHUP: policy, contract, credentials and the CA file
 * are read anew; when anything is wrong with them, the old ones stay. SIGUSR1: the access log is reopened.
 * false when it could not begin. */
bool control_run(const struct control_task *task, struct ruleset *ruleset);

#endif
