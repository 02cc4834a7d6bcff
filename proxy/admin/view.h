/* What the admin pages look at. The control thread's own: it changes it, and answers from it. */
#ifndef PROXY_ADMIN_VIEW_H
#define PROXY_ADMIN_VIEW_H

#include "proxy/service/ruleset.h"
#include "proxy/service/service.h"

struct reconciler;
struct worker;

struct admin_view {
    struct service *service;
    struct worker *const *workers;
    unsigned worker_count;
    const struct reconciler *reconciler;
    struct ruleset *ruleset;  /* in force; NULL before control_run */
    int64_t ruleset_since_us; /* since the epoch */
    struct {                  /* the last reload: */
        int64_t time_us;      /* since the epoch; 0: there was none */
        bool failed;
        char why[256]; /* when it failed */
    } reload;
    bool stopping;
};

#endif
