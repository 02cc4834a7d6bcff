/* The time, as the API writes it. */
#ifndef SANDBOX_STAMP_H
#define SANDBOX_STAMP_H

#include <time.h>

#define STAMP_SIZE 32

/* The last Date field written: it changes once a second only. */
struct stamp {
    time_t second;
    char date[STAMP_SIZE];
};

/* Now in UTC as RFC 3339 with microseconds: "2026-03-25T10:30:00.123456Z". */
void stamp_now(char out[STAMP_SIZE]);

/* Now as an HTTP date; valid until the next call. */
const char *stamp_http_date(struct stamp *stamp);

#endif
