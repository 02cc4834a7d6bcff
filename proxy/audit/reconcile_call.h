/* One GET of the reconciler: sent with the gate's own read-only credential, its answer collected within
 * bounds. Internal to the files reconcile*.c. */
#ifndef PROXY_AUDIT_RECONCILE_CALL_H
#define PROXY_AUDIT_RECONCILE_CALL_H

#include "proxy/upstream/upstream.h"

struct reconcile_call;

struct reconcile_answer {
    int status;          /* 0 when no good answer came: `failure` says why then */
    struct span body;    /* of a 200 */
    int64_t wait_s;      /* what a Retry-After asks for; -1 without one */
    const char *failure; /* NULL with a good answer */
};

/* Texts are borrowed for the callback's time; the call is gone behind it. */
typedef void reconcile_call_done(void *arg, const struct reconcile_answer *answer);

/* Starts it; done(arg) is called later, never from within. At most `bound` bytes of body are held. NULL when
 * memory is out. */
struct reconcile_call *reconcile_call_start(struct upstream *upstream, struct span credential,
                                            struct span target, size_t bound, reconcile_call_done *done,
                                            void *arg);

/* Ends it; no callback comes any more. */
void reconcile_call_cancel(struct reconcile_call *call);

#endif
