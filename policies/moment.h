/* Moments as a policy writes them: RFC 3339, in UTC, to the second: "2026-11-23T16:00:00Z". One spelling
 * alone: no offset, no fraction, no lower case, no leap second. Pure. */
#ifndef POLICIES_MOMENT_H
#define POLICIES_MOMENT_H

#include "policies/span.h"

/* Bounds that are none. No moment that can be read or that is now is as small or as large. */
#define MOMENT_FIRST INT64_MIN
#define MOMENT_LAST  INT64_MAX

/* The time in which something may be used, its first and its last second included. */
struct term {
    int64_t not_before, not_after; /* MOMENT_FIRST, MOMENT_LAST: without bound */
};

enum term_state { TERM_RUNNING, TERM_AHEAD, TERM_OVER };

static inline enum term_state term_at(const struct term *term, int64_t now)
{
    return now < term->not_before ? TERM_AHEAD : now > term->not_after ? TERM_OVER : TERM_RUNNING;
}

#define MOMENT_DAY INT64_C(86400) /* seconds */

/* What a text must look like, for messages. */
#define MOMENT_FORM "\"YYYY-MM-DDThh:mm:ssZ\" (RFC 3339, UTC)"

/* Reads a moment, from 1970 to 9999, as seconds since the epoch; false for another form, or for a day that
 * the calendar does not have. */
bool moment_read(struct span text, int64_t *seconds);

/* Writes a moment in that form; one before 1970 or after 9999 as the first or last one that has it. */
#define MOMENT_TEXT_SIZE 21 /* with the NUL */
void moment_write(int64_t seconds, char text[static MOMENT_TEXT_SIZE]);

/* Days from 1970-01-01 to a day of the calendar, given as yyyymmdd (version_date_is_real), year 1970 or
 * later. */
int64_t moment_days(uint32_t date);

#endif
