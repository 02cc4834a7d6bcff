#include "proxy/limits/room.h"

bool room_take(struct room *room)
{
    unsigned taken = atomic_load_explicit(&room->taken, memory_order_relaxed);

    do {
        if (taken >= room->bound)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&room->taken, &taken, taken + 1, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

void room_leave(struct room *room)
{
    atomic_fetch_sub_explicit(&room->taken, 1, memory_order_relaxed);
}

bool room_fail(struct room *room, int64_t now_us)
{
    return atomic_exchange_explicit(&room->failed_us, now_us, memory_order_relaxed) == 0;
}

bool room_recovers(struct room *room, int64_t now_us)
{
    int64_t failed = atomic_load_explicit(&room->failed_us, memory_order_relaxed);

    return failed != 0 && now_us - failed >= ROOM_QUIET_US &&
           atomic_compare_exchange_strong_explicit(&room->failed_us, &failed, 0, memory_order_relaxed,
                                                   memory_order_relaxed);
}
