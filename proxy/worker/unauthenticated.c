#include "proxy/worker/unauthenticated.h"

#include "proxy/audit/record.h"
#include "proxy/worker/worker.h"

#define INTERVAL_US (60 * 1000000LL)

void unauthenticated_count(struct worker *worker)
{
    COUNT(worker->service, unauthenticated);
    if (worker->unauthenticated++ == 0)
        worker->unauthenticated_since_us = clock_monotonic_us();
}

void unauthenticated_record(struct worker *worker, int64_t now_us, bool now)
{
    struct record record = {0};

    if (worker->unauthenticated == 0 || (!now && now_us - worker->unauthenticated_since_us < INTERVAL_US))
        return;
    const struct record_fields fields = {
        .stage = STAGE_UNAUTHENTICATED,
        .time_us = clock_now_us(),
        .count = record_number(worker->unauthenticated),
    };
    /* What cannot be recorded now is tried again with the next tick: the count is kept. */
    if (record_build(&fields, &record) && journal_append(worker->port, &record, NULL, NULL))
        worker->unauthenticated = 0;
    record_free(&record);
}
