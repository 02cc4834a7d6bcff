#include "proxy/control.h"

#include "proxy/admin/admin.h"
#include "proxy/audit/journal.h"
#include "proxy/audit/keys.h"
#include "proxy/audit/owed.h"
#include "proxy/audit/reconcile.h"
#include "proxy/base/log.h"
#include "proxy/base/process.h"
#include "proxy/listen/takeover.h"
#include "proxy/observe/access_log.h"
#include "proxy/ship/ship.h"
#include "proxy/swap.h"
#include "proxy/tls/server.h"
#include "proxy/upstream/upstream.h"
#include "proxy/worker/worker.h"

#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SETTLED_S 1 /* after the start: threads run, the journal is open, its first checkpoint signed */

struct control {
    struct control_task task;
    struct event_base *base;
    struct journal_port *port;
    struct reconciler *reconciler;
    struct swap *swap; /* puts rulesets in force */
    struct admin_view
        view; /* the ruleset in force is in it; `stopping`: the first SIGTERM or SIGINT was seen */
    struct admin *admin, *approvals;
    struct event *events[4];
    bool at_once; /* and another one */
    bool taken;   /* another gate has taken over, and no signal came since */
};

/* ---- records ---- */

/* The key of the masks is in use from now on; `before`, another one until now (NULL: the gate starts). */
static void record_key(struct control *control, const char *before)
{
    char id[AUDIT_KEY_ID];

    audit_key_id(control->task.service->key, id);
    const struct record_fields fields = {
        .stage = STAGE_KEY,
        .time_us = clock_now_us(),
        .cause = span_of(before != NULL ? "signal" : "start"),
        .key = span_of(id),
        .key_before = span_of(before),
        .uid = record_number(getuid()),
    };
    journal_owe(control->task.service->journal, control->port, &fields);
}

/* ---- signals ---- */

/* Takes up the key that `portcullis audit rotate-key` made. false with a message when the key
 * cannot be read. */
static bool renew_key(struct control *control, char *error, size_t error_size)
{
    char before[AUDIT_KEY_ID];

    audit_key_id(control->task.service->key, before);
    switch (audit_key_renew(control->task.service->key, error, error_size)) {
    case AUDIT_KEY_KEPT:
        return false;
    case AUDIT_KEY_CHANGED:
        record_key(control, before);
        return true;
    case AUDIT_KEY_SAME:
        return true;
    }
    return true;
}

/* Something could not be read anew; what was in use stays so. Of several, the first is shown to those who ask
 * whether the gate is ready. */
static void reload_failed(struct control *control, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void reload_failed(struct control *control, const char *format, ...)
{
    struct reload *reload = &control->view.parts_reload;
    char why[sizeof reload->why];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    log_event(LOG_ERROR, "reload", "%s", why);
    if (!reload->failed)
        memcpy(reload->why, why, sizeof why);
    reload->failed = true;
}

/* All but contract, policy and held keys. */
static void reload_parts(struct control *control)
{
    struct service *service = control->task.service;
    struct problems problems = {0};
    char error[256] = "";

    if (!upstream_shared_reload(service->upstream, error, sizeof error))
        reload_failed(control, "%s; the old one stays in use", error);
    if (!ship_reload(service->ship, error, sizeof error))
        reload_failed(control, "%s; the old one stays in use", error);
    if (!renew_key(control, error, sizeof error))
        reload_failed(control, "audit.keys: %s; the old key stays in use", error);
    if (!admin_reload(control->admin, error, sizeof error))
        reload_failed(control, "%s; the old one stays in use", error);
    if (service->tls != NULL && !tls_server_reload(service->tls, &problems)) {
        log_problems("reload", &problems);
        reload_failed(control, "tls: the certificate and all else in use for clients stay as they were");
    }
    problems_free(&problems);
}

static void on_reload(int signal_number, short what, void *arg)
{
    struct control *control = arg;
    struct service *service = control->task.service;
    (void)signal_number;
    (void)what;

    control->view.parts_reload.time_us = clock_now_us();
    control->view.parts_reload.failed = false;
    reload_parts(control);
    if (swap_reload(control->swap) && !control->view.parts_reload.failed)
        COUNT(service, reloads);
    else
        COUNT(service, reloads_failed);
}

static void on_reopen(int signal_number, short what, void *arg)
{
    struct control *control = arg;
    (void)signal_number;
    (void)what;

    access_log_reopen(control->task.service->access_log);
}

static void on_stop(int signal_number, short what, void *arg)
{
    struct control *control = arg;
    (void)what;

    if (control->view.stopping && !control->taken) {
        log_event(LOG_WARNING, "stop", "signal %d again: running exchanges are ended now", signal_number);
        control->at_once = true;
    } else {
        log_event(LOG_INFO, "stop", "signal %d: no more connections are accepted; running exchanges may end",
                  signal_number);
    }
    control->view.stopping = true;
    control->taken = false; /* the next one counts as the second */
    (void)event_base_loopbreak(control->base);
}

/* Another gate serves by now: this one drains, and leaves those who ask for its state to the other. */
static void on_taken(void *arg)
{
    struct control *control = arg;

    log_event(
        LOG_INFO, "takeover",
        "another process has taken over: no more connections are accepted here; running exchanges may end");
    admin_close(control->admin);
    admin_close(control->approvals);
    control->admin = control->approvals = NULL;
    control->view.stopping = true;
    control->taken = true;
    (void)event_base_loopbreak(control->base);
}

static bool watch_signals(struct control *control)
{
    static const struct {
        int number;
        event_callback_fn handle;
    } table[] = {{SIGTERM, on_stop}, {SIGINT, on_stop}, {SIGHUP, on_reload}, {SIGUSR1, on_reopen}};
    sigset_t watched;

    (void)sigemptyset(&watched);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        control->events[i] = evsignal_new(control->base, table[i].number, table[i].handle, control);
        if (control->events[i] == NULL || event_add(control->events[i], NULL) != 0)
            return false;
        (void)sigaddset(&watched, table[i].number);
    }
    return pthread_sigmask(SIG_UNBLOCK, &watched, NULL) == 0;
}

static bool make_parts(struct control *control)
{
    struct service *service = control->task.service;

    if ((control->base = event_base_new()) == NULL ||
        (control->port = journal_port_new(service->journal, control->base)) == NULL ||
        (control->reconciler = reconcile_new(service, control->base, control->port)) == NULL)
        return false;
    control->view.reconciler = control->reconciler;
    const struct swap_task swap = {.base = control->base,
                                   .port = control->port,
                                   .reconciler = control->reconciler,
                                   .view = &control->view};
    if ((control->swap = swap_new(&swap)) == NULL)
        return false;
    return watch_signals(control);
}

static bool open_admin(struct control *control, char *error, size_t error_size)
{
    const struct control_task *task = &control->task;

    if (task->admin_socket >= 0 &&
        (control->admin =
             admin_open(&control->view, control->base, NULL, task->admin_socket, error, error_size)) == NULL)
        return false;
    return task->approvals_socket < 0 ||
           (control->approvals = admin_open(&control->view, control->base, control->port,
                                            task->approvals_socket, error, error_size)) != NULL;
}

struct control *control_new(const struct control_task *task, char *error, size_t error_size)
{
    struct control *control = calloc(1, sizeof *control);

    (void)snprintf(error, error_size, "cannot set up the control thread");
    if (control == NULL)
        return NULL;
    control->task = *task;
    control->view = (struct admin_view){
        .service = task->service, .workers = task->workers, .worker_count = task->worker_count};
    if (make_parts(control) && open_admin(control, error, error_size) &&
        takeover_watch(task->takeover, control->base, on_taken, control))
        return control;
    control_free(control);
    return NULL;
}

static void on_settled(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    process_settle();
}

void control_run(struct control *control, struct ruleset *ruleset)
{
    const struct timeval settled = {SETTLED_S, 0};

    swap_begin(control->swap, ruleset);
    record_key(control, NULL);
    reconcile_begin(control->reconciler, ruleset);
    (void)event_base_once(control->base, -1, EV_TIMEOUT, on_settled, NULL, &settled);
    (void)event_base_dispatch(control->base);
    takeover_ignore(control->task.takeover);
}

void control_leave(struct control *control)
{
    if (control == NULL)
        return;
    admin_leave(control->admin);
    admin_leave(control->approvals);
}

bool control_poll(struct control *control)
{
    (void)event_base_loop(control->base, EVLOOP_NONBLOCK);
    return control->at_once;
}

void control_free(struct control *control)
{
    if (control == NULL)
        return;
    for (size_t i = 0; i < sizeof control->events / sizeof *control->events; i++)
        if (control->events[i] != NULL)
            event_free(control->events[i]);
    admin_close(control->admin);
    admin_close(control->approvals);
    reconcile_free(control->reconciler);
    swap_free(control->swap);
    journal_port_free(control->port);
    if (control->base != NULL)
        event_base_free(control->base);
    free(control);
}
