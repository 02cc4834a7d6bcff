/* The bytes of an answer's header, and what the gate's own answers have in common. */
#ifndef PROXY_HTTP_REPLY_H
#define PROXY_HTTP_REPLY_H

#include "policies/request.h"
#include "policies/text.h"

#define REPLY_DATE 30 /* "Mon, 23 Nov 2026 15:04:05 GMT" and its NUL */

/* The reason phrase of a status (RFC 9110 §15); "" for one that has none here. */
const char *reply_reason(int status);

/* "HTTP/1.1 403 Forbidden\r\n". */
void reply_begin(struct text *head, int status);

/* "name: value\r\n". A value that no field may have (RFC 9110 §5.5: CR, LF, NUL, other controls) is left
 * out. */
void reply_field(struct text *head, struct span name, struct span value);

/* An IMF-fixdate (RFC 9110 §5.6.7) of a time in seconds since the epoch. */
void reply_date(int64_t epoch_s, char text[static REPLY_DATE]);

/* Is it a JSON media type: application/json, or with the suffix +json (RFC 6839)? Parameters are passed over.
 */
bool reply_is_json(struct span content_type);

#endif
