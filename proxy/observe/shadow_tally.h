/* What one worker counts of a shadow: how often it agrees with the policy in force, and who would decide
 * otherwise. The worker's thread alone writes; the metrics page adds up those of all workers. */
#ifndef PROXY_OBSERVE_SHADOW_TALLY_H
#define PROXY_OBSERVE_SHADOW_TALLY_H

#include "policies/text.h"
#include "proxy/observe/histogram.h"
#include "proxy/observe/label_set.h"

#define SHADOW_GATES 16 /* told apart; all others are "other" */
#define SHADOW_RULES 48

enum shadow_result {
    SHADOW_UNASKED, /* there is no shadow, or nothing was judged */
    SHADOW_AGREES,
    SHADOW_CANNOT_SAY,
    SHADOW_WOULD_ALLOW, /* from here on: they disagree */
    SHADOW_WOULD_REFUSE,
    SHADOW_REFUSES_OTHERWISE,
    SHADOW_DEMANDS_OTHERWISE,
    SHADOW_OTHER_PRINCIPAL,
    SHADOW_RESULTS
};

/* "would-allow", as metrics and logs have it. */
const char *shadow_result_name(enum shadow_result result);

static inline bool shadow_disagrees(enum shadow_result result)
{
    return result >= SHADOW_WOULD_ALLOW;
}

/* A zeroed struct is empty. */
struct shadow_tally {
    struct label_set gates, rules;
    _Atomic uint64_t results[SHADOW_RESULTS];
    _Atomic uint64_t disagreements[SHADOW_RESULTS][SHADOW_GATES + 1][SHADOW_RULES + 1];
};

/* Counts one request. `gate` and `rule` are whose word makes the difference; the rule is one of the policy's
 * rules by its id, NULL for another one. */
void shadow_tally_request(struct shadow_tally *tally, enum shadow_result result, const char *gate,
                          const char *rule);

/* Adds what another one holds now to one that belongs to this thread. */
void shadow_tally_gather(const struct shadow_tally *from, struct shadow_tally *into);

/* Appends it in Prometheus' text format. */
void shadow_tally_write(const struct shadow_tally *tally, struct text *page);

#endif
