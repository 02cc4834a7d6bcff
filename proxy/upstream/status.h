/* What the upstream side says of itself: for the metrics page, and for whoever asks whether it is ready. Any
 * thread may ask, as long as the shared part lives. */
#ifndef PROXY_UPSTREAM_STATUS_H
#define PROXY_UPSTREAM_STATUS_H

#include "policies/text.h"
#include "proxy/upstream/upstream.h"

#define UPSTREAM_WHY 192 /* enough for `why`, its NUL included */

/* Is an address of the upstream to be had that has not failed of late? Else `why` says what is wrong. Never
 * waits for a name server and connects to nobody: it tells what requests have met. */
bool upstream_alive(struct upstream_shared *shared, char why[static UPSTREAM_WHY]);

/* Appends, in Prometheus' text format, portcullis_upstream_address_up, _outstanding, _failures_total and
 * _ejections_total{address} for each of at most ADDRESSES_MOST addresses, and
 * portcullis_upstream_surplus_total. */
void upstream_write(struct upstream_shared *shared, struct text *page);

/* What one worker's pool has in hand. The worker's own thread only. */
struct upstream_pool {
    size_t busy, idle; /* connections; busy: connecting, or with a request */
    size_t waiting;    /* requests without a connection */
};

void upstream_pool(const struct upstream *upstream, struct upstream_pool *pool);

#endif
