#include "proxy/limits/lag.h"

bool lag_tick(struct lag *lag, int64_t period_us, int64_t bound_us, int64_t now_us)
{
    bool late = lag->last_us != 0 && bound_us != 0 && now_us - lag->last_us - period_us >= bound_us;

    lag->last_us = now_us;
    lag->late = late ? lag->late + 1 : 0;
    return lag->late >= LAG_TICKS;
}
