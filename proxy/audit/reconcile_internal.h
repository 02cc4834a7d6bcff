/* What the reconciler is made of: its jobs, and what they share. Internal to the files reconcile*.c. */
#ifndef PROXY_AUDIT_RECONCILE_INTERNAL_H
#define PROXY_AUDIT_RECONCILE_INTERNAL_H

#include "proxy/audit/reconcile.h"
#include "proxy/audit/reconcile_call.h"
#include "proxy/audit/reconcile_course.h"
#include "proxy/audit/reconcile_scan.h"

#define RECONCILE_AT_ONCE 4 /* cases that are asked about at the same time, each of another organisation */

/* One case on its way; without a subject: the record that nothing of earlier runs is open any more.
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
    struct reconcile_call *call;
    bool inherited; /* of an earlier run */
};

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
    int64_t paused_until_us; /* the API asked for it */

    struct reconcile_scan *scan; /* NULL: done */
    struct event *scan_event;
    size_t inherited, inherited_left; /* jobs of earlier runs, and those of them not yet recorded */
    bool incomplete;                  /* something of earlier runs was left out */
};

/* Does whatever is due, and arms the timer for what comes next. Not from within a job. */
void reconcile_pump(struct reconciler *reconciler);

/* Begins to look into a case, which is taken over. */
void reconcile_job_add(struct reconciler *reconciler, struct reconcile_case *subject, bool inherited);

/* Begins to record that nothing of earlier runs is open any more, once that is so. */
void reconcile_job_mark(struct reconciler *reconciler);

/* Does what is due; when there will be something to do again (INT64_MAX: somebody else will pump). */
int64_t reconcile_job_attend(struct reconcile_job *job, int64_t now);

/* Ends a job, whatever it is doing. */
void reconcile_job_drop(struct reconcile_job *job);

#endif
