/* The field Retry-After (RFC 9110 §10.2.3). */
#ifndef PROXY_LIMITS_RETRY_AFTER_H
#define PROXY_LIMITS_RETRY_AFTER_H

#include "policies/span.h"

#include <stdint.h>

/* Seconds from `epoch_s` (now) on that the value asks to wait: delay-seconds, or an HTTP-date in any of the
 * three forms that a recipient must take (§5.6.7). -1 for what is neither, a date that is not to come, or
 * more seconds than fit. */
int64_t retry_after_read(struct span value, int64_t epoch_s);

#endif
