#include "tests/sandbox/stamp.h"

#include <stdio.h>

void stamp_now(char out[STAMP_SIZE])
{
    struct timespec now;
    struct tm parts;
    char second[24];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(out, STAMP_SIZE, "%s.%06uZ", second, (unsigned)now.tv_nsec / 1000 % 1000000);
}

const char *stamp_http_date(struct stamp *stamp)
{
    struct timespec now;
    struct tm parts;

    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec != stamp->second || stamp->date[0] == '\0') {
        gmtime_r(&now.tv_sec, &parts);
        strftime(stamp->date, sizeof stamp->date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
        stamp->second = now.tv_sec;
    }
    return stamp->date;
}
