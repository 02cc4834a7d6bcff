/* Requests without a known token are counted in the journal now and then, not recorded one by one: nobody
 * without a token can fill it. */
#ifndef PROXY_WORKER_UNAUTHENTICATED_H
#define PROXY_WORKER_UNAUTHENTICATED_H

#include <stdbool.h>
#include <stdint.h>

struct worker;

/* One more. */
void unauthenticated_count(struct worker *worker);

/* Records the count when a minute has gone by since the first one counted, or when `now` says so. */
void unauthenticated_record(struct worker *worker, int64_t now_us, bool now);

#endif
