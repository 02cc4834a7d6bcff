#include "proxy/admin/metrics.h"

#include "proxy/audit/journal.h"
#include "proxy/audit/reconcile.h"
#include "proxy/observe/access_log.h"
#include "proxy/observe/exposition.h"
#include "proxy/observe/version_watch.h"
#include "proxy/ship/ship.h"
#include "proxy/tls/server.h"
#include "proxy/upstream/status.h"
#include "proxy/worker/worker.h"

#include <stdlib.h>

#define MICROSECONDS 1000000 /* a second */

static void write_tallies(const struct admin_view *view, struct text *page)
{
    struct tally *all = calloc(1, sizeof *all);

    if (all == NULL) {
        page->failed = true;
        return;
    }
    for (unsigned i = 0; i < view->worker_count; i++)
        tally_gather(worker_tally(view->workers[i]), all);
    tally_write(all, page);
    free(all);
}

/* The worker whose loop has been silent longest: what a request may have to wait for its turn. */
static void write_silence(const struct admin_view *view, struct text *page)
{
    int64_t now = clock_monotonic_us(), longest = 0;

    for (unsigned i = 0; i < view->worker_count; i++) {
        int64_t silence = worker_silence(view->workers[i], now);
        longest = silence > longest ? silence : longest;
    }
    exposition_single(page, "worker_silence_seconds", "gauge",
                      "Time since the event loop of a worker last turned, of the one that is latest",
                      (uint64_t)longest, MICROSECONDS);
}

static void write_info(struct text *page, const char *name, const char *help, const char *label,
                       const char *value)
{
    exposition_family(page, name, "gauge", help);
    exposition_name(page, name);
    exposition_label(page, true, label, span_of(value));
    exposition_value(page, true, 1, 1);
}

static void write_policy(const struct admin_view *view, struct text *page)
{
    int64_t policy_us = view->policy_reload.time_us, parts_us = view->parts_reload.time_us;

    if (view->ruleset != NULL)
        write_info(page, "policy_info", "The policy in force", "digest",
                   policy_digest(ruleset_policy(view->ruleset)));
    exposition_single(page, "policy_time_seconds", "gauge", "When it came into force, since the epoch",
                      (uint64_t)view->ruleset_since_us, MICROSECONDS);
    exposition_single(page, "reload_successful", "gauge", "Did the last reload succeed, or was there none",
                      !view->policy_reload.failed && !view->parts_reload.failed, 1);
    exposition_single(page, "reload_time_seconds", "gauge", "When the last reload was, since the epoch",
                      (uint64_t)(policy_us > parts_us ? policy_us : parts_us), MICROSECONDS);
    exposition_single(page, "policies_replaced", "gauge",
                      "Policies that were replaced and that running requests still hold",
                      view->rulesets_replaced, 1);
}

/* Only where a shadow is wanted. */
static void write_shadow(const struct admin_view *view, struct text *page)
{
    struct shadow_tally *all;

    if (view->service->config->policy_shadow == NULL)
        return;
    if ((all = calloc(1, sizeof *all)) == NULL) {
        page->failed = true;
        return;
    }
    for (unsigned i = 0; i < view->worker_count; i++)
        shadow_tally_gather(worker_shadow(view->workers[i]), all);
    exposition_single(page, "shadow_loaded", "gauge", "Is the shadow judged, or is something wrong with it",
                      view->ruleset != NULL && ruleset_shadow(view->ruleset) != NULL, 1);
    shadow_tally_write(all, page);
    free(all);
}

static void write_reconciled(const struct admin_view *view, struct text *page)
{
    struct reconcile_status status;

    reconcile_status(view->reconciler, &status);
    exposition_single(page, "reconcile_open", "gauge", "Changes whose end is being looked into", status.open,
                      1);
    exposition_family(page, "reconciled_total", "counter",
                      "Changes that were looked into, by what was found");
    for (size_t i = 0; i < RECONCILE_RESULTS; i++) {
        exposition_name(page, "reconciled_total");
        exposition_label(page, true, "result", span_of(status.results[i].name));
        exposition_value(page, true, status.results[i].count, 1);
    }
}

static void write_certificate(struct service *service, struct text *page)
{
    if (service->tls != NULL)
        exposition_single(page, "tls_certificate_expiry_time_seconds", "gauge",
                          "When the certificate shown to clients expires, since the epoch",
                          (uint64_t)tls_server_expiry(service->tls), 1);
}

void metrics_write(const struct admin_view *view, struct text *page)
{
    struct service *service = view->service;

    write_tallies(view, page);
    counters_write(&service->counters, page);
    write_silence(view, page);
    version_watch_write(service->versions, page);
    write_certificate(service, page);
    upstream_write(service->upstream, page);
    write_policy(view, page);
    write_shadow(view, page);
    journal_write_metrics(service->journal, page);
    write_reconciled(view, page);
    ship_write(service->ship, page);
    exposition_single(page, "access_log_lost_total", "counter", "Lines that the access log had no room for",
                      access_log_lost(service->access_log), 1);
    write_info(page, "build_info", "The program that runs", "version", PORTCULLIS_VERSION);
}
