/* Reading the API's answers where the gate itself asks. They may be hostile: what has not the form expected
 * is a fault, never a finding. Pure. */
#ifndef PROXY_UPSTREAM_READING_H
#define PROXY_UPSTREAM_READING_H

#include "policies/document.h"

#include <stdint.h>

#define READING_ID     37   /* a UUID and its NUL */
#define READING_CURSOR 1025 /* a cursor and its NUL */

/* The answer as a JSON object; NULL with *fault (static). The caller owns the reference. */
json_t *reading_document(struct span body, const char **fault);

/* One resource object: its id (in lower case) and its attributes (borrowed). false with *fault. */
bool reading_resource(json_t *resource, char id[static READING_ID], json_t **attributes, const char **fault);

/* The cursor of the page behind this one, "" when this is the last. Only the cursor is taken from the link:
 * where it leads is no business of the API's. false with *fault. */
bool reading_next(json_t *document, char cursor[static READING_CURSOR], const char **fault);

/* An RFC 3339 time in microseconds since the epoch; false for any other text. */
bool reading_time(struct span text, int64_t *epoch_us);

/* Seconds to wait for, from a Retry-After (RFC 9110 §10.2.3: a number, or a date, at `now_s`): from 0 to a
 * day; -1 when it has another form. */
int64_t reading_retry_after(struct span value, int64_t now_s);

#endif
