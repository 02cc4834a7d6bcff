/* Time as the records show it. */
#ifndef PROXY_BASE_CLOCK_H
#define PROXY_BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_TEXT 28 /* "2026-01-31T23:59:59.123456Z" and its NUL */

/* Microseconds since the epoch (CLOCK_REALTIME) / since some moment (CLOCK_MONOTONIC). */
int64_t clock_now_us(void);
int64_t clock_monotonic_us(void);

/* RFC 3339 in UTC with microseconds. */
void clock_format(int64_t epoch_us, char text[static CLOCK_TEXT]);

/* The same for one time after the other, most of them in the same second. Zeroed at first. */
struct clock_text {
    int64_t second; /* of the text, since the epoch; plus 1 */
    char text[CLOCK_TEXT];
};
void clock_format_next(struct clock_text *text, int64_t epoch_us);

#endif
