#include "proxy/limits/rate.h"

#include <stdatomic.h>
#include <stdlib.h>

#define SECOND_NS INT64_C(1000000000)

struct rates {
    size_t count;
    _Atomic int64_t full_ns[]; /* by principal: when its bucket is full, monotonic; past: it is */
};

struct rates *rates_new(const struct policy *policy, bool *right)
{
    size_t count = policy_principal_count(policy);

    *right = true;
    if (!policy_limits_rates(policy))
        return NULL;
    struct rates *rates = calloc(1, sizeof *rates + count * sizeof rates->full_ns[0]);
    *right = rates != NULL;
    if (rates != NULL)
        rates->count = count;
    return rates;
}

void rates_free(struct rates *rates)
{
    free(rates);
}

void rates_inherit(struct rates *rates, const struct policy *policy, const struct rates *before,
                   const struct policy *policy_before)
{
    if (rates == NULL || before == NULL)
        return;
    for (uint32_t i = 0; i < rates->count; i++) {
        const char *name = policy_principal_at(policy, i)->name;
        const struct principal *same = policy_principal_named(policy_before, span_of(name));
        if (same != NULL)
            atomic_store_explicit(&rates->full_ns[i],
                                  atomic_load_explicit(&before->full_ns[same->index], memory_order_relaxed),
                                  memory_order_relaxed);
    }
}

int64_t rates_take(struct rates *rates, const struct principal *principal, int64_t now_us)
{
    const struct rate_limit *limit = &principal->rate_limit;

    if (rates == NULL || limit->requests == 0)
        return 0;
    _Atomic int64_t *bucket = &rates->full_ns[principal->index];
    int64_t token_ns = limit->seconds * SECOND_NS / limit->requests, now = now_us * 1000;
    int64_t full = atomic_load_explicit(bucket, memory_order_relaxed), next;
    do {
        /* A limit that a reload made smaller leaves no debt beyond an empty bucket. */
        int64_t most = now + token_ns * limit->requests, from = full < now ? now : full < most ? full : most;
        next = from + token_ns;
        if (next > most)
            return (next - most + 999) / 1000;
    } while (!atomic_compare_exchange_weak_explicit(bucket, &full, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return 0;
}
