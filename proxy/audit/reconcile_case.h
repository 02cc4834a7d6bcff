/* A mutation whose end is not known: what has to be remembered of it to find out. Internal to the files
 * reconcile*.c. */
#ifndef PROXY_AUDIT_RECONCILE_CASE_H
#define PROXY_AUDIT_RECONCILE_CASE_H

#include "proxy/audit/record.h"

#include <jansson.h>
#include <sys/queue.h>

struct reconcile_case {
    STAILQ_ENTRY(reconcile_case) next;
    int64_t intent_us; /* when it was intended, since the epoch */
    struct span operation, organization, principal, request_id, resource, version;
    json_t *wish; /* attributes that it asked for and that the API shows: scalars, none of them a secret */
    bool hidden;  /* it asked for something that the API does not show (credentials), or that was masked */
    char texts[]; /* what the spans point into */
};

STAILQ_HEAD(reconcile_cases, reconcile_case);

/* From the values of an intent's record; `body` is its masked body, NULL without one. NULL when memory is
 * out. */
struct reconcile_case *reconcile_case_make(const struct record_fields *intent, json_t *body);

/* From an intent's record as it stands in the journal. NULL when memory is out. */
struct reconcile_case *reconcile_case_read(json_t *intent);

void reconcile_case_free(struct reconcile_case *subject);

#endif
