/* The policy in force, and how another one takes its place: contract, policy, manifest and held keys are read
 * as one, judged fit, and given to the workers as one. An exchange goes on with what it began with. What was
 * replaced is freed here, in the control thread, however many exchanges held it: a large policy must not stop
 * an event loop. */
#ifndef PROXY_SWAP_H
#define PROXY_SWAP_H

#include "proxy/admin/view.h"

struct event_base;
struct journal_port;
struct reconciler;
struct swap;

struct swap_task {
    struct event_base *base; /* of the control thread */
    struct journal_port *port;
    struct reconciler *reconciler;
    struct admin_view *view; /* its ruleset and the reloads of the policy are kept here */
};

/* NULL when memory is out. The task is copied. */
struct swap *swap_new(const struct swap_task *task);

/* The ruleset that the workers have begun with is in force; the caller's reference is taken over. With
 * policy_watch its files are looked after from now on. */
void swap_begin(struct swap *swap, struct ruleset *ruleset);

/* Reads all anew, because of a signal. True when it came into force; otherwise what was in force stays so,
 * and log, metrics and view say why. */
bool swap_reload(struct swap *swap);

/* Not before the workers have ended. NULL allowed. */
void swap_free(struct swap *swap);

#endif
