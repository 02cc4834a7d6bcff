#include "proxy/control.h"

#include "policies/policy_summary.h"
#include "proxy/access_log.h"
#include "proxy/admin.h"
#include "proxy/audit/journal.h"
#include "proxy/audit/keys.h"
#include "proxy/audit/reconcile.h"
#include "proxy/audit/record.h"
#include "proxy/log.h"
#include "proxy/tls/server.h"
#include "proxy/upstream/upstream.h"
#include "proxy/worker.h"

#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct control {
    struct control_task task;
    struct event_base *base;
    struct journal_port *port;
    struct reconciler *reconciler;
    struct ruleset *ruleset; /* in force */
    struct admin *admin;
    struct event *events[4];
    bool stopping; /* the first SIGTERM or SIGINT was seen */
    bool at_once;  /* and another one */
};

/* ---- records ---- */

/* What it tells of has happened, so it is owed even while the journal is broken or not open yet. */
static void append(struct control *control, const struct record_fields *fields)
{
    struct record record = {0};
    bool built = record_build(fields, &record);

    record.owed = true;
    if (!built || !journal_append(control->port, &record, NULL, NULL))
        journal_missed(control->task.service->journal, 1);
    record_free(&record);
}

/* A policy comes into force, in place of the one before (NULL: none). */
static void record_policy(struct control *control, const struct policy *before, const struct policy *policy)
{
    struct text changes = {0};
    struct record_fields fields = {
        .stage = STAGE_POLICY,
        .time_us = clock_now_us(),
        .cause = span_of(before != NULL ? "signal" : "start"),
        .policy = span_of(policy_digest(policy)),
        .principals = record_number(policy_principal_count(policy)),
        .uid = record_number(getuid()),
    };

    policy_summary_write(before, policy, &changes);
    if (!changes.failed)
        fields.changes = (struct span){changes.data, changes.length};
    append(control, &fields);
    text_free(&changes);
}

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
    append(control, &fields);
}

/* ---- signals ---- */

/* Takes up the key that `portcullis audit rotate-key` made. false when the key cannot be read. */
static bool renew_key(struct control *control)
{
    char before[AUDIT_KEY_ID], error[256] = "";

    audit_key_id(control->task.service->key, before);
    switch (audit_key_renew(control->task.service->key, error, sizeof error)) {
    case AUDIT_KEY_KEPT:
        log_event(LOG_ERROR, "reload", "audit.keys: %s; the old key stays in use", error);
        return false;
    case AUDIT_KEY_CHANGED:
        record_key(control, before);
        return true;
    case AUDIT_KEY_SAME:
        return true;
    }
    return true;
}

/* Puts a ruleset in force. */
static void swap(struct control *control, struct ruleset *next)
{
    ruleset_inherit(next, control->ruleset);
    for (unsigned i = 0; i < control->task.worker_count; i++)
        worker_swap(control->task.workers[i], next);
    reconcile_swap(control->reconciler, next);
    record_policy(control, ruleset_policy(control->ruleset), ruleset_policy(next));
    ruleset_release(control->ruleset);
    control->ruleset = next;
    log_event(LOG_INFO, "reload", "in force: policy %s", policy_digest(ruleset_policy(next)));
}

static void on_reload(int signal_number, short what, void *arg)
{
    struct control *control = arg;
    struct service *service = control->task.service;
    struct problems problems = {0};
    char error[256] = "";
    (void)signal_number;
    (void)what;

    struct ruleset *next = ruleset_load(service->config, true, &problems);
    bool trusted = upstream_shared_reload(service->upstream, error, sizeof error);
    bool keyed = renew_key(control);
    bool listening = service->tls == NULL || tls_server_reload(service->tls, &problems);
    log_problems("reload", &problems);
    problems_free(&problems);
    if (!trusted)
        log_event(LOG_ERROR, "reload", "upstream.ca_file: %s; the old one stays in use", error);
    if (!listening)
        log_event(LOG_ERROR, "reload",
                  "tls: the certificate and all else in use for clients stay as they were");
    if (next == NULL || !trusted || !keyed || !listening)
        COUNT(service, reloads_failed);
    else
        COUNT(service, reloads);
    if (next == NULL)
        log_event(LOG_ERROR, "reload", "contract, policy and credentials in force stay as they were");
    else
        swap(control, next);
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

    if (control->stopping) {
        log_event(LOG_WARNING, "stop", "signal %d again: running exchanges are ended now", signal_number);
        control->at_once = true;
    } else {
        log_event(LOG_INFO, "stop", "signal %d: no more connections are accepted; running exchanges may end",
                  signal_number);
    }
    control->stopping = true;
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

struct control *control_new(const struct control_task *task, char *error, size_t error_size)
{
    struct control *control = calloc(1, sizeof *control);

    (void)snprintf(error, error_size, "cannot set up the control thread");
    if (control == NULL)
        return NULL;
    control->task = *task;
    if ((control->base = event_base_new()) == NULL ||
        (control->port = journal_port_new(task->service->journal, control->base)) == NULL ||
        (control->reconciler = reconcile_new(task->service, control->base, control->port)) == NULL ||
        !watch_signals(control) ||
        (task->service->config->admin.listen.text != NULL &&
         (control->admin = admin_open(task->service, control->base, error, error_size)) == NULL)) {
        control_free(control);
        return NULL;
    }
    return control;
}

uint16_t control_admin_port(const struct control *control)
{
    return control->admin != NULL ? admin_port(control->admin) : 0;
}

void control_run(struct control *control, struct ruleset *ruleset)
{
    control->ruleset = ruleset_hold(ruleset);
    record_policy(control, NULL, ruleset_policy(ruleset));
    record_key(control, NULL);
    reconcile_begin(control->reconciler, ruleset);
    (void)event_base_dispatch(control->base);
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
    reconcile_free(control->reconciler);
    ruleset_release(control->ruleset);
    journal_port_free(control->port);
    if (control->base != NULL)
        event_base_free(control->base);
    free(control);
}
