/* Reconciliation: what became of a mutation whose answer never came, or that a crash cut off. The gate looks,
 * with a read-only credential of its own and nothing but GET, and records what it finds (stage `reconciled`,
 * under the intent's request id): present, absent, applied, not-applied, or unknown with the reason.
 *
 * The reconciler lives in the control thread's loop, with an upstream pool of its own. Workers hand it cases
 * through a queue. What the gate's stop leaves unsettled, or a crash, the journal hands over at the next
 * start (journal_take_open). So each intent has an outcome that says how it ended, or one `reconciled`
 * record: what the journal cannot take at the moment is offered again until it can, or until the gate stops.
 */
#ifndef PROXY_AUDIT_RECONCILE_H
#define PROXY_AUDIT_RECONCILE_H

#include "proxy/audit/record.h"
#include "proxy/service/ruleset.h"
#include "proxy/service/service.h"

struct event_base;
struct reconcile_queue;
struct reconciler;

#define RECONCILE_CASES                                                                                      \
    4096 /* that may wait; of those beyond it is recorded at once that they are unknown                      \
          */

/* The queue outlives the workers and the reconciler. NULL when memory or descriptors are out. */
struct reconcile_queue *reconcile_queue_new(void);
void reconcile_queue_free(struct reconcile_queue *queue);

/* Hands over a mutation that was sent and whose outcome is not known: the values of its intent, the body
 * masked. All is copied. Any thread. */
void reconcile_hand_over(struct reconcile_queue *queue, const struct record_fields *intent);

/* NULL when memory or descriptors are out. */
struct reconciler *reconcile_new(struct service *service, struct event_base *base, struct journal_port *port);

/* Begins to look, by the ruleset's policy (a reference is taken), and searches the journal for what earlier
 * runs left open. */
void reconcile_begin(struct reconciler *reconciler, struct ruleset *ruleset);

/* Another ruleset came into force. */
void reconcile_swap(struct reconciler *reconciler, struct ruleset *ruleset);

#define RECONCILE_RESULTS 5

struct reconcile_status {
    size_t open; /* cases that are looked into, or whose record is not durable yet */
    struct reconcile_result {
        const char *name;    /* as the record's `result` has it */
        unsigned long count; /* recorded by this run */
    } results[RECONCILE_RESULTS];
};

/* A snapshot. In the reconciler's loop only. */
void reconcile_status(const struct reconciler *reconciler, struct reconcile_status *status);

/* What is unsettled stays so until the next start. */
void reconcile_free(struct reconciler *reconciler);

#endif
