/* The authority of a URI without userinfo, which is also what a Host field holds: uri-host [ ":" port ] (RFC
 * 3986 §3.2). */
#ifndef POLICIES_AUTHORITY_H
#define POLICIES_AUTHORITY_H

#include "policies/span.h"

#define AUTHORITY_LONGEST (255 + 1 + 5) /* a name, a colon, a port */

struct authority {
    struct span host; /* as written; an IPv6 address with its brackets */
    unsigned port;    /* 0 without one, or with an empty one */
};

/* Reads it strictly: a name of unreserved characters (no percent-encoding, 255 bytes at most), an IPv4
 * address, or an IPv6 address in brackets; a port from 1 to 65535 without leading zeros, or empty. false when
 * it has another form. The spans point into `text`. */
bool authority_read(struct span text, struct authority *authority);

/* The same host (without case) and port, where a missing port is `default_port`? */
bool authority_equal(const struct authority *a, const struct authority *b, unsigned default_port);

#endif
