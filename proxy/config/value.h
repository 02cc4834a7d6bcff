/* Values of settings that have a grammar of their own. Pure. */
#ifndef PROXY_CONFIG_VALUE_H
#define PROXY_CONFIG_VALUE_H

#include "proxy/config/config.h"

/* An http or https URL that names a server and nothing on it. */
struct origin {
    bool tls;
    char *host;      /* lower case, without brackets */
    uint16_t port;   /* the scheme's own where none was written */
    char *authority; /* lower case; port only when it is not the scheme's own */
};

/* Reads one. NULL when it is right, else what is wrong (static); *origin is then empty. origin_free
 * afterwards. */
const char *origin_parse(const char *text, struct origin *origin);
void origin_free(struct origin *origin);

/* Reads "127.0.0.1:8080" or "[::1]:0". NULL when it is right, else what is wrong (static); *address is then
 * empty. The texts in *address are malloc'ed: address_free. */
const char *address_parse(const char *text, struct config_address *address);

/* The same for every kind of address that clients can be accepted at. */
const char *address_parse_any(const char *text, struct config_address *address);
void address_free(struct config_address *address);

/* May it name a journal and its key: visible ASCII, no '+', 1 to 255 bytes? */
bool name_is_right(const char *text);

/* Is the host an IPv4 address, or an IPv6 one without brackets? */
bool host_is_literal(const char *host);

/* Is the host (without brackets) this machine itself: 127.0.0.0/8, ::1 or localhost? */
bool host_is_loopback(const char *host);

#endif
