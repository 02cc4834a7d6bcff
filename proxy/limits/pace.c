#include "proxy/limits/pace.h"

#define SECOND_US 1000000

static int64_t us(unsigned milliseconds)
{
    return (int64_t)milliseconds * 1000;
}

void pace_begin(struct pace *pace, uint64_t done, int64_t now_us)
{
    *pace = (struct pace){.since_us = now_us, .moved_us = now_us, .first = done, .last = done};
}

static bool is_fast(const struct pace *pace, const struct pace_rule *rule, int64_t now_us)
{
    uint64_t took_us = (uint64_t)(now_us - pace->since_us);

    return rule->bytes_per_s == 0 || now_us - pace->since_us < us(rule->grace_ms) ||
           (pace->last - pace->first) >= took_us / SECOND_US * rule->bytes_per_s;
}

bool pace_holds(struct pace *pace, const struct pace_rule *rule, uint64_t done, int64_t now_us)
{
    if (done > pace->last) {
        pace->last = done;
        pace->moved_us = now_us;
    }
    if (rule->total_ms != 0 && now_us - pace->since_us >= us(rule->total_ms))
        return false;
    if (rule->still_ms != 0 && now_us - pace->moved_us >= us(rule->still_ms))
        return false;
    return is_fast(pace, rule, now_us);
}

static void sooner(int64_t *next, int64_t than)
{
    if (than < *next)
        *next = than;
}

int64_t pace_next(const struct pace *pace, const struct pace_rule *rule, int64_t now_us)
{
    int64_t next = INT64_MAX, judged = pace->since_us + us(rule->grace_ms);

    if (rule->total_ms != 0)
        sooner(&next, pace->since_us + us(rule->total_ms));
    if (rule->still_ms != 0) {
        sooner(&next, pace->moved_us + us(rule->still_ms));
        sooner(&next, now_us + SECOND_US);
    }
    if (rule->bytes_per_s != 0)
        sooner(&next, now_us < judged ? judged : now_us + SECOND_US);
    return next;
}
