/* A time as a person or a record writes it. Pure. */
#ifndef PROXY_AUDIT_WHEN_H
#define PROXY_AUDIT_WHEN_H

#include "policies/span.h"

#include <stdint.h>

/* Reads RFC 3339 ("2026-01-31T23:59:59.123456Z", "…+01:00", a space for the T, no fraction), a day alone
 * ("2026-01-31", its beginning in UTC), or how long ago ("90s", "15m", "2h", "7d", "4w") before `now_us`.
 * Microseconds since the epoch. False for another form. */
bool when_read(struct span text, int64_t now_us, int64_t *epoch_us);

#endif
