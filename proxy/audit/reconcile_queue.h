/* The reconciler's end of the queue between it and the workers. Internal to the files reconcile*.c. */
#ifndef PROXY_AUDIT_RECONCILE_QUEUE_H
#define PROXY_AUDIT_RECONCILE_QUEUE_H

#include "proxy/audit/reconcile.h"
#include "proxy/audit/reconcile_case.h"

/* Readable when something waits. */
int reconcile_queue_descriptor(const struct reconcile_queue *queue);

/* Takes all that wait, in their order, and makes the descriptor silent. */
void reconcile_queue_take(struct reconcile_queue *queue, struct reconcile_cases *cases);

#endif
