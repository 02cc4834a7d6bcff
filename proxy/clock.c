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
    /* Rounded down, so that a time before the epoch has positive microseconds too. */
    int64_t micros = epoch_us % 1000000;
    if (micros < 0)
        micros += 1000000;
    time_t seconds = (time_t)((epoch_us - micros) / 1000000);
    struct tm day;
    char whole[64];

    gmtime_r(&seconds, &day);
    (void)snprintf(whole, sizeof whole, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", day.tm_year + 1900,
                   day.tm_mon + 1, day.tm_mday, day.tm_hour, day.tm_min, day.tm_sec, (int)micros);
    whole[CLOCK_TEXT - 1] = '\0';
    memcpy(text, whole, CLOCK_TEXT);
}
