/* The octets that HTTP/1.1 lets stand in names and values (RFC 9110 §5.6.2, §5.5), for both directions of the
 * upstream side. */
#ifndef PROXY_UPSTREAM_OCTETS_H
#define PROXY_UPSTREAM_OCTETS_H

#include "policies/span.h"

/* Is it a token: at least one octet, and only those that names are made of? */
bool octets_are_token(struct span bytes);

/* May it be a field's value: no control octet but the tab (so no CR, LF or NUL)? */
bool octets_are_value(struct span bytes);

/* Takes the next item off a comma-separated list; false at its end. Items are trimmed; empty ones, which the
 * grammar allows, are skipped. */
bool octets_next_item(struct span *list, struct span *item);

#endif
