#include "proxy/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t now_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
    return now_us(CLOCK_REALTIME);
}

int64_t clock_monotonic_us(void)
{
    return now_us(CLOCK_MONOTONIC);
}

void clock_format(int64_t epoch_us, char text[static CLOCK_TEXT])
{
    time_t seconds = epoch_us / 1000000;
    int micros = (int)(epoch_us % 1000000);
    if (micros < 0) { /* rounded down, before the epoch too */
        micros += 1000000;
        seconds--;
    }
    struct tm day;
    char whole[64];

    gmtime_r(&seconds, &day);
    (void)snprintf(whole, sizeof whole, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", day.tm_year + 1900,
                   day.tm_mon + 1, day.tm_mday, day.tm_hour, day.tm_min, day.tm_sec, micros);
    whole[CLOCK_TEXT - 1] = '\0';
    memcpy(text, whole, CLOCK_TEXT);
}
