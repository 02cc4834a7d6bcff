/* The control thread: signals, reloads, and the record that a policy came into force. */
#ifndef PROXY_CONTROL_H
#define PROXY_CONTROL_H

#include "proxy/service/ruleset.h"
#include "proxy/service/service.h"

struct takeover;
struct worker;

struct control_task {
    struct service *service;
    struct worker **workers;
    unsigned worker_count;
    int admin_socket;          /* listening; -1: no admin listener */
    int approvals_socket;      /* the same, for approvals */
    struct takeover *takeover; /* through which another gate may take over; NULL: none */
};

struct control;

/* Makes the control thread's loop and, where the configuration asks for one, the admin listener. NULL with a
 * message. The task is copied. */
struct control *control_new(const struct control_task *task, char *error, size_t error_size);

/* Takes the caller's reference of the ruleset over, and runs in the calling thread until SIGTERM or SIGINT,
 * or until another gate has taken over. SIGHUP: policy, contract, credentials and all else that is read from
 * files is read anew; what is wrong leaves the old in use. SIGUSR1: the access log is reopened. */
void control_run(struct control *control, struct ruleset *ruleset);

/* Another process answers at the admin listener from now on. NULL allowed. */
void control_leave(struct control *control);

/* While the workers stop: handles the signals that came in the meantime, without waiting. true when a second
 * SIGTERM or SIGINT asked for an end at once. */
bool control_poll(struct control *control);

/* Not before the workers have ended: from then on a signal has its default effect, and would end the process
 * in the middle of a drain. */
void control_free(struct control *control);

#endif
