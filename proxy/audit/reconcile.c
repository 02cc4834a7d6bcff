/* The reconciler's loop: what wakes it, and what it takes over from earlier runs. */
#include "proxy/audit/reconcile_internal.h"
#include "proxy/audit/reconcile_queue.h"
#include "proxy/base/clock.h"
#include "proxy/base/log.h"

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
        reconcile_job_add(reconciler, subject);
    }
    reconcile_pump(reconciler);
}

/* ---- what earlier runs left ---- */

static void inherit(struct reconciler *reconciler, const char *request_id, json_t *intent)
{
    struct reconcile_case *subject = reconcile_case_read(intent);

    if (subject != NULL)
        reconcile_job_add(reconciler, subject);
    else
        log_event(LOG_ERROR, "reconcile", "request %s: out of memory: it is looked into at the next start",
                  request_id);
}

static void on_open(void *arg, bool open)
{
    struct reconciler *reconciler = arg;
    const char *request_id;
    json_t *intent, *intents = journal_take_open(reconciler->service->journal);
    (void)open;

    if (json_object_size(intents) > 0)
        log_event(LOG_INFO, "reconcile", "%zu changes of earlier runs have no known end and are looked into",
                  json_object_size(intents));
    json_object_foreach (intents, request_id, intent) {
        inherit(reconciler, request_id, intent);
    }
    json_decref(intents);
    reconcile_pump(reconciler);
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
    reconciler->upstream = upstream_new(base, service->upstream);
    if (reconciler->wake == NULL || reconciler->timer == NULL || reconciler->upstream == NULL) {
        reconcile_free(reconciler);
        return NULL;
    }
    return reconciler;
}

void reconcile_begin(struct reconciler *reconciler, struct ruleset *ruleset)
{
    reconcile_swap(reconciler, ruleset);
    if (!journal_when_open(reconciler->port, on_open, reconciler))
        log_event(LOG_ERROR, "reconcile",
                  "out of memory: what earlier runs left open is looked into at the next start");
    if (event_add(reconciler->wake, NULL) != 0)
        log_event(LOG_ERROR, "reconcile", "cannot wait for changes to look into");
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
    journal_forget(reconciler->port, reconciler);
    upstream_free(reconciler->upstream);
    ruleset_release(reconciler->ruleset);
    free(reconciler);
}

void reconcile_status(const struct reconciler *reconciler, struct reconcile_status *status)
{
    *status = (struct reconcile_status){.open = reconciler->job_count};
    for (unsigned i = 0; i < RECONCILE_RESULTS; i++)
        status->results[i] =
            (struct reconcile_result){reconcile_finding_name(FINDING_PRESENT + i), reconciler->found[i]};
}
