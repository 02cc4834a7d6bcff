/* One GET that the gate itself asks, its answer collected within bounds: by the reconciler, to learn what
 * became of a change, and by an exchange, to learn what a change is about. */
#ifndef PROXY_UPSTREAM_COLLECT_H
#define PROXY_UPSTREAM_COLLECT_H

#include "proxy/upstream/upstream.h"

struct collect_call;

struct collect_request {
    struct span credential;     /* the value of Authorization */
    struct span target;         /* origin-form, canonical */
    const struct field *fields; /* to send besides */
    size_t field_count;         /* COLLECT_FIELDS at most */
    size_t bound;               /* bytes of body that are held at most */
    int64_t due_us;             /* monotonic: it ends by then; 0 for no bound but upstream.total_timeout_ms */
    struct upstream_owner owner; /* as in upstream_request */
};

#define COLLECT_FIELDS 4

struct collect_answer {
    int status;                 /* 0 when no good answer came: `failure` says why then */
    struct span body;           /* of a 200, which is JSON by its media type; not parsed */
    struct span retry_after;    /* the field's value; data NULL without one */
    const char *failure;        /* one of a few sentences, for records and clients; NULL with a good answer */
    enum upstream_failure kind; /* with a failure; UPSTREAM_INVALID for what is no use though its grammar is
                                   right */
};

/* Texts are borrowed for the callback's time; the call is gone behind it. */
typedef void collect_done(void *arg, const struct collect_answer *answer);

/* Starts it; done(arg) is called later, never from within. Everything that `request` points to is copied.
 * NULL when memory is out. */
struct collect_call *collect_start(struct upstream *upstream, const struct collect_request *request,
                                   collect_done *done, void *arg);

/* Ends it; no callback comes any more. NULL is allowed. */
void collect_cancel(struct collect_call *call);

#endif
