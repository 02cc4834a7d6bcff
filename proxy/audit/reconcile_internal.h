/* What the reconciler is made of: its jobs, and what they share. Internal to the files reconcile*.c. */
#ifndef PROXY_AUDIT_RECONCILE_INTERNAL_H
#define PROXY_AUDIT_RECONCILE_INTERNAL_H

#include "proxy/audit/reconcile.h"
#include "proxy/audit/reconcile_course.h"
#include "proxy/upstream/collect.h"

#define RECONCILE_AT_ONCE 4 /* cases that are asked about at the same time, each of another organisation */

/* One case on its way.
 * Invariants: call != NULL exactly while ASKING, and the job is then in reconciler->asking; a journal
 * callback is outstanding exactly while WRITING. */
struct reconcile_job {
    TAILQ_ENTRY(reconcile_job) entry;
    struct reconciler *owner;
    struct reconcile_case *subject;
    struct reconcile_course course;
    enum { JOB_WAITING, JOB_ASKING, JOB_FOUND, JOB_WRITING } state;
    int64_t due_us;      /* monotonic. WAITING: when to ask; FOUND: when to write */
    int64_t deadline_us; /* for the finding */
    struct collect_call *call;
};

_Static_assert(RECONCILE_RESULTS == FINDINGS - FINDING_PRESENT, "a count for each result");

TAILQ_HEAD(reconcile_jobs, reconcile_job);

struct reconciler {
    struct service *service;
    struct journal_port *port;
    struct upstream *upstream;
    struct ruleset *ruleset; /* NULL: nothing has begun */
    struct event *wake, *timer;

    struct reconcile_jobs jobs;
    size_t job_count;
    const struct reconcile_job *asking[RECONCILE_AT_ONCE];
    int64_t paused_until_us;                /* the API asked for it */
    unsigned long found[RECONCILE_RESULTS]; /* recorded by this run, from FINDING_PRESENT on */
};

/* Does whatever is due, and arms the timer for what comes next. Not from within a job. */
void reconcile_pump(struct reconciler *reconciler);

/* Begins to look into a case, which is taken over. */
void reconcile_job_add(struct reconciler *reconciler, struct reconcile_case *subject);

/* Does what is due; when there will be something to do again (INT64_MAX: somebody else will pump). */
int64_t reconcile_job_attend(struct reconcile_job *job, int64_t now);

/* Ends a job, whatever it is doing. */
void reconcile_job_drop(struct reconcile_job *job);

#endif
