/* What a request is known by where it may pass once, or not twice at a time: keyed digests, which say nothing
 * of it and cannot be made up. They are of the key in use: a new one makes other digests. */
#ifndef PROXY_WORKER_EXCHANGE_DIGEST_H
#define PROXY_WORKER_EXCHANGE_DIGEST_H

#include "policies/span.h"

struct exchange;

/* Of who asks for what: principal, operation, organisation, resource, method, canonical target and canonical
 * body, as judged. The text of audit_key_mask, made once and kept in the exchange's arena; data NULL when
 * memory is out. */
struct span exchange_digest_request(struct exchange *exchange);

/* Of the principal and its Idempotency-Key. As above, but made anew each time. */
struct span exchange_digest_key(struct exchange *exchange);

/* Of the pre-image that was read for it: the integration and its settings; of nothing where nothing was. As
 * above, but made anew each time. */
struct span exchange_digest_facts(struct exchange *exchange);

#endif
