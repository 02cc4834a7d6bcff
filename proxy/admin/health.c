#include "proxy/admin/health.h"

#include "proxy/audit/journal.h"
#include "proxy/ship/ship.h"
#include "proxy/upstream/status.h"
#include "proxy/worker/worker.h"

#include <inttypes.h>
#include <stdio.h>

#define SILENCE_US 5000000 /* a loop ticks ten times a second: one that is silent so long hangs */
#define WHY        320

/* ---- the checks: false with `why`; details go behind the other members of the check ---- */

static bool check_workers(const struct admin_view *view, char why[static WHY], struct text *details)
{
    int64_t now = clock_monotonic_us();
    (void)details;

    for (unsigned i = 0; i < view->worker_count; i++) {
        int64_t silence = worker_silence(view->workers[i], now);
        if (silence > SILENCE_US) {
            (void)snprintf(why, WHY, "worker %u hangs: its event loop has not turned for %" PRId64 " s", i,
                           silence / 1000000);
            return false;
        }
    }
    return true;
}

static bool check_journal(const struct admin_view *view, char why[static WHY], struct text *details)
{
    const char *trouble = NULL;
    (void)details;

    if (journal_usable(view->service->journal, &trouble))
        return true;
    (void)snprintf(
        why, WHY, "the audit journal cannot be written (%s): changes are refused, reads are served", trouble);
    return false;
}

static void add_text(struct text *details, const char *name, const char *value)
{
    text_add_format(details, ",\"%s\":", name);
    text_add_json(details, span_of(value));
}

static void add_time(struct text *details, const char *name, int64_t epoch_us)
{
    char time[CLOCK_TEXT];

    clock_format(epoch_us, time);
    add_text(details, name, time);
}

/* A reload that failed leaves the policy before it in force: it is told, and no reason not to be ready. */
static bool check_policy(const struct admin_view *view, char why[static WHY], struct text *details)
{
    if (view->ruleset == NULL) {
        (void)snprintf(why, WHY, "the gate is still starting");
        return false;
    }
    add_text(details, "digest", policy_digest(ruleset_policy(view->ruleset)));
    add_time(details, "since", view->ruleset_since_us);
    const struct reload *policy = &view->policy_reload, *parts = &view->parts_reload;
    int64_t time_us = policy->time_us > parts->time_us ? policy->time_us : parts->time_us;
    if (time_us == 0)
        return true;
    add_text(details, "last_reload", policy->failed || parts->failed ? "failed" : "done");
    add_time(details, "last_reload_time", time_us);
    if (policy->failed || parts->failed)
        add_text(details, "last_reload_why", policy->failed ? policy->why : parts->why);
    return true;
}

static bool check_upstream(const struct admin_view *view, char why[static WHY], struct text *details)
{
    char reason[UPSTREAM_WHY];
    (void)details;

    if (upstream_alive(view->service->upstream, reason))
        return true;
    (void)snprintf(why, WHY, "%s", reason);
    return false;
}

static bool check_stopping(const struct admin_view *view, char why[static WHY], struct text *details)
{
    (void)details;
    if (view->stopping)
        (void)snprintf(why, WHY, "the gate stops: it accepts no more connections");
    return !view->stopping;
}

/* Places that are behind are told, and no reason not to be ready: nothing is lost by it. */
static bool check_shipping(const struct admin_view *view, char why[static WHY], struct text *details)
{
    struct ship_lag lags[SHIP_DESTINATIONS];
    size_t count = ship_lags(view->service->ship, lags);
    (void)why;

    text_add_string(details, ",\"lag_records\":{");
    for (size_t i = 0; i < count; i++)
        text_add_format(details, "%s\"%s\":%" PRIu64, i > 0 ? "," : "", lags[i].name, lags[i].records);
    text_add_string(details, "}");
    return true;
}

/* ---- the pages ---- */

#define ON(page) (1u << (page))

static const struct {
    const char *name;
    unsigned pages;
    bool (*check)(const struct admin_view *view, char why[static WHY], struct text *details);
} checks[] = {
    {"workers", ON(HEALTH_LIVE), check_workers},
    {"stopping", ON(HEALTH_READY) | ON(HEALTH_READS), check_stopping},
    {"policy", ON(HEALTH_READY) | ON(HEALTH_READS), check_policy},
    {"upstream", ON(HEALTH_READY) | ON(HEALTH_READS), check_upstream},
    {"journal", ON(HEALTH_READY), check_journal},
    {"shipping", ON(HEALTH_READY), check_shipping},
};

static void add_check(struct text *out, bool first, const char *name, bool right, const char *why,
                      const struct text *details)
{
    text_add_format(out, "%s\"%s\":{\"ok\":%s", first ? "" : ",", name, right ? "true" : "false");
    if (!right)
        add_text(out, "why", why);
    text_add(out, details->data, details->length);
    text_add(out, "}", 1);
}

bool health_write(const struct admin_view *view, enum health_page page, struct text *out)
{
    struct text all = {0};
    bool well = true, first = true;

    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct text details = {0};
        char why[WHY] = "";

        if ((checks[i].pages & ON(page)) == 0)
            continue;
        bool right = checks[i].check(view, why, &details);
        add_check(&all, first, checks[i].name, right, why, &details);
        all.failed = all.failed || details.failed;
        text_free(&details);
        well = well && right;
        first = false;
    }
    text_add_format(out, "{\"status\":\"%s\",\"checks\":{", well ? "ok" : "failing");
    text_add(out, all.data, all.length);
    text_add_string(out, "}}\n");
    out->failed = out->failed || all.failed;
    text_free(&all);
    return well;
}
