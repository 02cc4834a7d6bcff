/* What the admin pages look at. The control thread's own: it changes it, and answers from it. */
#ifndef PROXY_ADMIN_VIEW_H
#define PROXY_ADMIN_VIEW_H

#include "proxy/service/ruleset.h"
#include "proxy/service/service.h"

struct reconciler;
struct worker;

/* The last time that something was read anew. */
struct reload {
    int64_t time_us; /* since the epoch; 0: never */
    bool failed;
    char why[512]; /* when it failed */
};

struct admin_view {
    struct service *service;
    struct worker *const *workers;
    unsigned worker_count;
    const struct reconciler *reconciler;
    struct ruleset *ruleset;     /* in force; NULL before control_run */
    int64_t ruleset_since_us;    /* since the epoch */
    unsigned rulesets_replaced;  /* that exchanges still hold */
    struct reload policy_reload; /* of contract, policy and held keys: by signal, or for files that changed */
    struct reload parts_reload;  /* of all else: by signal */
    bool stopping;
};

#endif
