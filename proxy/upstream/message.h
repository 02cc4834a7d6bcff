/* Requests as they are written to the upstream, and what is left of an answer's fields when it is handed up.
 */
#ifndef PROXY_UPSTREAM_MESSAGE_H
#define PROXY_UPSTREAM_MESSAGE_H

#include "proxy/upstream/upstream.h"

/* May it be sent? Nothing in it may end a line early, and its fields must leave the framing to us. Callers
 * never make one that may not; were one to, it stops here. */
bool message_is_safe(const struct upstream_request *request);

/* Writes the request to `out` and returns how long it is; `out` NULL only measures, so that one exact
 * allocation holds it (it may carry a secret). */
size_t message_write(char *out, const struct upstream_request *request, const char *authority);

/* Copies the fields that go beyond this hop to `out` (room for `count`), and returns how many: not the
 * connection's own, those that Connection names, nor Content-Length. */
size_t message_end_to_end(const struct field *fields, size_t count, struct field *out);

#endif
