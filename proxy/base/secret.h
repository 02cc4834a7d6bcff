/* Secrets as they come in: one line from a file, a variable or stdin. */
#ifndef PROXY_BASE_SECRET_H
#define PROXY_BASE_SECRET_H

#include "policies/span.h"

#define SECRET_BYTES 4096 /* longest one */
#define SECRET_ROOM                                                                                          \
    (SECRET_BYTES + 32) /* for one with a scheme and a line end, and enough to see that it is too long */

/* Reads what there is, at most `room` bytes, straight into `to`: no buffer elsewhere ever holds it. NULL, or
 * what went wrong (static). */
const char *secret_read(int descriptor, char *to, size_t room, size_t *length);

/* The span without the line end behind it. */
struct span secret_trim(struct span value);

/* What is wrong with a secret, as the end of a sentence ("is empty"), or NULL. It becomes part of a header
 * field, so nothing but visible ASCII may be in it. */
const char *secret_fault(struct span secret);

#endif
