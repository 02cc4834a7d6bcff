#include "proxy/upstream/congestion.h"

static void begin_interval(struct congestion *congestion, int64_t now_us)
{
    congestion->since_us = now_us;
    congestion->least_us = INT64_MAX;
    congestion->served = 0;
}

void congestion_begin(struct congestion *congestion, int64_t now_us)
{
    if (congestion->standing)
        return;
    congestion->standing = true;
    begin_interval(congestion, now_us);
}

void congestion_end(struct congestion *congestion)
{
    congestion->standing = congestion->congested = false;
}

void congestion_served(struct congestion *congestion, int64_t waited_us)
{
    congestion->served++;
    if (waited_us < congestion->least_us)
        congestion->least_us = waited_us;
}

size_t congestion_room(struct congestion *congestion, int64_t oldest_us, int64_t now_us)
{
    if (congestion->target_us == 0 || !congestion->standing)
        return SIZE_MAX;
    if (now_us - congestion->since_us >= congestion->target_us) {
        int64_t shortest = congestion->served > 0 ? congestion->least_us : oldest_us;
        congestion->congested = shortest > congestion->target_us;
        congestion->room = congestion->served > 0 ? congestion->served : 1;
        begin_interval(congestion, now_us);
    }
    return congestion->congested ? congestion->room : SIZE_MAX;
}
