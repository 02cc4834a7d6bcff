/* How many requests a principal may make: token buckets of the policy's rate limits, one for each principal,
 * shared by all workers without a lock.
 *
 * A bucket holds as many tokens as the limit has requests, is full at first, and fills evenly, as many in the
 * limit's seconds. It is kept as the one moment at which it will be full again (the generic cell rate
 * algorithm, ITU-T I.371), so that taking a token is one atomic exchange, exact however many workers take. */
#ifndef PROXY_LIMITS_RATE_H
#define PROXY_LIMITS_RATE_H

#include "policies/policy.h"

struct rates;

/* Buckets for all principals of the policy that have a limit. NULL with *right false when memory is out; NULL
 * with *right true when none has one: nothing is limited. */
struct rates *rates_new(const struct policy *policy, bool *right);
void rates_free(struct rates *rates);

/* Takes over how full the buckets of another policy's principals of the same names are. Not while anybody
 * uses `rates`. Requests that are counted in `before` meanwhile are forgotten. NULL is allowed for both. */
void rates_inherit(struct rates *rates, const struct policy *policy, const struct rates *before,
                   const struct policy *policy_before);

/* Takes a token of the principal. 0 when there was one, or when there is no limit; else nothing is taken, and
 * it is how long in microseconds until there is one. `now_us` is monotonic. NULL is allowed for `rates`. */
int64_t rates_take(struct rates *rates, const struct principal *principal, int64_t now_us);

#endif
