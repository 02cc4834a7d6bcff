/* The reconciler's loop: what wakes it, and what it finds in the journal when it begins. */
#include "proxy/audit/reconcile_internal.h"
#include "proxy/audit/reconcile_queue.h"
#include "proxy/clock.h"
#include "proxy/log.h"

#include <event2/event.h>
#include <stdlib.h>

void reconcile_pump(struct reconciler *reconciler)
{
    int64_t now = clock_monotonic_us(), due = INT64_MAX;
    struct reconcile_job *job, *next;

    for (job = TAILQ_FIRST(&reconciler->jobs); job != NULL; job = next) {
        next = TAILQ_NEXT(job, entry);
        int64_t its = reconcile_job_attend(job, now);
        due = its < due ? its : due;
    }
    if (due == INT64_MAX) {
        (void)event_del(reconciler->timer);
        return;
    }
    int64_t delay = due > now ? due - now : 0;
    const struct timeval wait = {delay / 1000000, delay % 1000000};
    (void)event_add(reconciler->timer, &wait);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    reconcile_pump(arg);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct reconciler *reconciler = arg;
    struct reconcile_cases cases;
    struct reconcile_case *subject;
    (void)fd;
    (void)what;

    reconcile_queue_take(reconciler->service->reconcile, &cases);
    while ((subject = STAILQ_FIRST(&cases)) != NULL) {
        STAILQ_REMOVE_HEAD(&cases, next);
        reconcile_job_add(reconciler, subject, false);
    }
    reconcile_pump(reconciler);
}

/* ---- what earlier runs left ---- */

static void inherit(struct reconciler *reconciler, const char *request_id, json_t *intent)
{
    struct reconcile_case *subject = reconcile_case_read(intent);

    if (subject != NULL) {
        reconcile_job_add(reconciler, subject, true);
        return;
    }
    reconciler->incomplete = true;
    log_event(LOG_ERROR, "reconcile", "request %s: out of memory: it is looked into at the next start",
              request_id);
}

static void end_scan(struct reconciler *reconciler)
{
    struct reconcile_scan *scan = reconciler->scan;
    const char *request_id;
    json_t *intent;

    json_object_foreach (reconcile_scan_found(scan), request_id, intent) {
        inherit(reconciler, request_id, intent);
    }
    reconciler->scan = NULL;
    if (reconciler->inherited > 0)
        log_event(LOG_INFO, "reconcile",
                  "%zu mutations of earlier runs have no known end and are looked into",
                  reconciler->inherited);
    if (reconcile_scan_any(scan))
        reconcile_job_mark(reconciler);
    reconcile_scan_free(scan);
    reconcile_pump(reconciler);
}

static void on_scan(evutil_socket_t fd, short what, void *arg)
{
    struct reconciler *reconciler = arg;
    const char *error = "";
    (void)fd;
    (void)what;

    switch (reconcile_scan_step(reconciler->scan, &error)) {
    case SCAN_MORE:
        event_active(reconciler->scan_event, EV_TIMEOUT, 0);
        break;
    case SCAN_DONE:
        end_scan(reconciler);
        break;
    case SCAN_FAILED: /* the scan stays, unfinished: nothing will be said to be settled */
        log_event(LOG_ERROR, "reconcile", "cannot look for what earlier runs left open: %s", error);
        break;
    }
}

/* ---- making and ending ---- */

struct reconciler *reconcile_new(struct service *service, struct event_base *base, struct journal_port *port)
{
    struct reconciler *reconciler = calloc(1, sizeof *reconciler);

    if (reconciler == NULL)
        return NULL;
    reconciler->service = service;
    reconciler->port = port;
    TAILQ_INIT(&reconciler->jobs);
    reconciler->wake = event_new(base, reconcile_queue_descriptor(service->reconcile), EV_READ | EV_PERSIST,
                                 on_wake, reconciler);
    reconciler->timer = event_new(base, -1, 0, on_timer, reconciler);
    reconciler->scan_event = event_new(base, -1, 0, on_scan, reconciler);
    reconciler->upstream = upstream_new(base, service->upstream);
    if (reconciler->wake == NULL || reconciler->timer == NULL || reconciler->scan_event == NULL ||
        reconciler->upstream == NULL) {
        reconcile_free(reconciler);
        return NULL;
    }
    return reconciler;
}

void reconcile_begin(struct reconciler *reconciler, struct ruleset *ruleset)
{
    char error[512] = "";

    reconcile_swap(reconciler, ruleset);
    reconciler->scan = reconcile_scan_open(reconciler->service->config->audit.directory, error, sizeof error);
    if (reconciler->scan != NULL)
        event_active(reconciler->scan_event, EV_TIMEOUT, 0);
    else
        log_event(LOG_ERROR, "reconcile", "cannot look for what earlier runs left open: %s", error);
    if (event_add(reconciler->wake, NULL) != 0)
        log_event(LOG_ERROR, "reconcile", "cannot wait for mutations to look into");
}

void reconcile_swap(struct reconciler *reconciler, struct ruleset *ruleset)
{
    struct ruleset *before = reconciler->ruleset;

    reconciler->ruleset = ruleset_hold(ruleset);
    ruleset_release(before);
}

static void free_event(struct event *event)
{
    if (event != NULL)
        event_free(event);
}

void reconcile_free(struct reconciler *reconciler)
{
    struct reconcile_job *job;

    if (reconciler == NULL)
        return;
    while ((job = TAILQ_FIRST(&reconciler->jobs)) != NULL)
        reconcile_job_drop(job);
    free_event(reconciler->wake);
    free_event(reconciler->timer);
    free_event(reconciler->scan_event);
    reconcile_scan_free(reconciler->scan);
    upstream_free(reconciler->upstream);
    ruleset_release(reconciler->ruleset);
    free(reconciler);
}
