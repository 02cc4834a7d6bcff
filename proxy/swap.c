#include "proxy/swap.h"

#include "policies/policy_summary.h"
#include "proxy/audit/journal.h"
#include "proxy/audit/owed.h"
#include "proxy/audit/reconcile.h"
#include "proxy/base/clock.h"
#include "proxy/base/log.h"
#include "proxy/worker/worker.h"

#include <errno.h>
#include <event2/event.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SWEEP_MS 100 /* between two looks for replaced rulesets that nobody holds any more */

/* One that was replaced, and that exchanges may still hold. */
struct replaced {
    SLIST_ENTRY(replaced) next;
    struct ruleset *ruleset;
};

struct swap {
    struct swap_task task;
    struct file_watch *watch; /* NULL: not wanted */
    struct event *sweep;
    SLIST_HEAD(replaced_list, replaced) replaced;
};

/* ---- what was replaced ---- */

static void arm_sweep(struct swap *swap)
{
    const struct timeval soon = {0, SWEEP_MS * 1000};

    (void)event_add(swap->sweep, &soon);
}

static void on_sweep(int descriptor, short what, void *arg)
{
    struct swap *swap = arg;
    struct replaced *item, *next;
    bool freed = false;
    (void)descriptor;
    (void)what;

    for (item = SLIST_FIRST(&swap->replaced); item != NULL; item = next) {
        next = SLIST_NEXT(item, next);
        if (!ruleset_is_last(item->ruleset))
            continue;
        SLIST_REMOVE(&swap->replaced, item, replaced, next);
        ruleset_release(item->ruleset);
        free(item);
        swap->task.view->rulesets_replaced--;
        freed = true;
    }
    if (freed)
        (void)malloc_trim(0);
    if (!SLIST_EMPTY(&swap->replaced))
        arm_sweep(swap);
}

/* Our reference of it is the last to go. Without memory for that the last exchange frees it. */
static void keep_replaced(struct swap *swap, struct ruleset *ruleset)
{
    struct replaced *item = malloc(sizeof *item);

    if (item == NULL) {
        ruleset_release(ruleset);
        return;
    }
    item->ruleset = ruleset;
    SLIST_INSERT_HEAD(&swap->replaced, item, next);
    swap->task.view->rulesets_replaced++;
    arm_sweep(swap);
}

/* ---- putting in force ---- */

/* A policy comes into force, in place of the one before (NULL: none). */
static void record_policy(struct swap *swap, const struct ruleset *before, const struct ruleset *next,
                          const char *cause)
{
    const struct policy *policy = ruleset_policy(next);
    const struct manifest *manifest = ruleset_manifest(next);
    struct text changes = {0};
    struct record_fields fields = {
        .stage = STAGE_POLICY,
        .time_us = clock_now_us(),
        .cause = span_of(cause),
        .contract = span_of(ruleset_contract_digest(next)),
        .oauth_keys =
            ruleset_keys(next) != NULL ? span_of(ruleset_keys_digest(next)) : (struct span){NULL, 0},
        .policy = span_of(policy_digest(policy)),
        .principals = record_number(policy_principal_count(policy)),
        .serial = {.given = manifest->serial != 0, .value = manifest->serial},
        .uid = record_number(getuid()),
    };

    policy_summary_write(before != NULL ? ruleset_policy(before) : NULL, policy, &changes);
    if (!changes.failed)
        fields.changes = (struct span){changes.data, changes.length};
    journal_owe(swap->task.view->service->journal, swap->task.port, &fields);
    text_free(&changes);
}

/* The files of the last attempt, whatever came of it: another file is worth another one. Frees the list. */
static void watch_files(struct swap *swap, struct watched_files *files)
{
    if (swap->watch != NULL && !file_watch_set(swap->watch, files))
        log_event(LOG_WARNING, "policy-watch",
                  "not all files of the policy can be watched (%s): send SIGHUP when one has changed",
                  strerrordesc_np(errno));
    watched_files_free(files);
}

static void put_in_force(struct swap *swap, struct ruleset *next, const char *cause)
{
    struct admin_view *view = swap->task.view;

    ruleset_inherit(next, view->ruleset);
    for (unsigned i = 0; i < view->worker_count; i++)
        worker_swap(view->workers[i], next);
    reconcile_swap(swap->task.reconciler, next);
    record_policy(swap, view->ruleset, next, cause);
    keep_replaced(swap, view->ruleset);
    view->ruleset = next;
    view->ruleset_since_us = clock_now_us();
    log_event(LOG_INFO, "reload", "in force: policy %s", policy_digest(ruleset_policy(next)));
}

/* ---- reading anew ---- */

/* The first error, as the readiness page shows it. */
static void note_failure(struct reload *reload, const struct problems *problems, const char *why)
{
    struct text lines = {0};
    size_t i = 0;

    while (i < problems->count && problems->items[i].severity != SEVERITY_ERROR)
        i++;
    if (i < problems->count) {
        const struct problem *first = &problems->items[i];
        text_add_format(&lines, "%s%s%s", first->file, first->file[0] != '\0' ? ": " : "", first->message);
    }
    (void)snprintf(reload->why, sizeof reload->why,
                   "%.400s; contract, policy and held keys in force stay as they were",
                   why[0] != '\0'                      ? why
                   : lines.length > 0 && !lines.failed ? lines.data
                                                       : "memory is out");
    text_free(&lines);
}

static bool reload(struct swap *swap, const char *cause)
{
    struct admin_view *view = swap->task.view;
    struct service *service = view->service;
    struct problems problems = {0};
    struct watched_files files = {0};
    char why[512] = "";

    view->policy_reload.time_us = clock_now_us();
    struct ruleset *next = ruleset_load_noting(service->config, true, &files, &problems);
    if (next != NULL)
        ruleset_take_files(next, &files);
    log_problems("reload", &problems);
    bool right =
        next != NULL && journal_take_manifest(service->journal, ruleset_manifest(next), why, sizeof why);
    view->policy_reload.failed = !right;
    if (right) {
        put_in_force(swap, next, cause);
    } else {
        note_failure(&view->policy_reload, &problems, why);
        log_event(LOG_ERROR, "reload", "%s", view->policy_reload.why);
        ruleset_release(next);
    }
    watch_files(swap, &files);
    problems_free(&problems);
    return right;
}

bool swap_reload(struct swap *swap)
{
    return reload(swap, "signal");
}

static void on_changed(void *arg)
{
    struct swap *swap = arg;
    struct service *service = swap->task.view->service;

    if (reload(swap, "file"))
        COUNT(service, reloads);
    else
        COUNT(service, reloads_failed);
}

/* ---- */

struct swap *swap_new(const struct swap_task *task)
{
    struct swap *swap = calloc(1, sizeof *swap);

    if (swap == NULL)
        return NULL;
    swap->task = *task;
    SLIST_INIT(&swap->replaced);
    swap->sweep = event_new(task->base, -1, 0, on_sweep, swap);
    if (swap->sweep != NULL && task->view->service->config->policy_watch)
        swap->watch = file_watch_new(task->base, on_changed, swap);
    if (swap->sweep != NULL && (swap->watch != NULL || !task->view->service->config->policy_watch))
        return swap;
    swap_free(swap);
    return NULL;
}

void swap_begin(struct swap *swap, struct ruleset *ruleset)
{
    struct admin_view *view = swap->task.view;
    struct watched_files files;

    view->ruleset = ruleset;
    view->ruleset_since_us = clock_now_us();
    record_policy(swap, NULL, ruleset, "start");
    ruleset_take_files(ruleset, &files);
    watch_files(swap, &files);
}

void swap_free(struct swap *swap)
{
    struct replaced *item;

    if (swap == NULL)
        return;
    while ((item = SLIST_FIRST(&swap->replaced)) != NULL) {
        SLIST_REMOVE_HEAD(&swap->replaced, next);
        ruleset_release(item->ruleset);
        free(item);
    }
    ruleset_release(swap->task.view->ruleset);
    swap->task.view->ruleset = NULL;
    file_watch_free(swap->watch);
    if (swap->sweep != NULL)
        event_free(swap->sweep);
    free(swap);
}
