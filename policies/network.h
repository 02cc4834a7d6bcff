/* IP addresses and networks of them, as settings and other programs write them. Pure.
 *
 * An IPv4 address and its IPv4-mapped IPv6 form (RFC 4291 §2.5.5.2) are one and the same here. */
#ifndef POLICIES_NETWORK_H
#define POLICIES_NETWORK_H

#include "policies/span.h"

#define IP_ADDRESS_TEXT 46 /* bytes of one as text, with its NUL */

struct ip_address {
    unsigned char bytes[16]; /* network order; IPv4 mapped */
};

/* From four or sixteen bytes in network order. */
struct ip_address ip_address_of(const unsigned char *bytes, size_t length);

/* Reads a literal IPv4 or IPv6 address, without brackets, zone and port. False: it is none. */
bool ip_address_parse(struct span text, struct ip_address *address);

/* Writes it as it is commonly written: IPv4 with dots. */
void ip_address_write(const struct ip_address *address, char text[static IP_ADDRESS_TEXT]);

bool ip_address_is_four(const struct ip_address *address);

struct network {
    struct ip_address base;
    unsigned bits; /* of the 128 that count */
};

/* Reads "10.0.0.0/8", "2001:db8::/32", or one address. NULL when it is right, else what is wrong (static):
 * bits behind the prefix that are not zero, too. */
const char *network_parse(const char *text, struct network *network);

/* Those whose word is believed. */
struct networks {
    struct network *items;
    size_t count;
    bool local; /* "unix:": whoever connects by a UNIX socket */
};

/* Is the address in one of them? IPv4 is in networks of IPv4 alone: ::/0 holds none of it. */
bool networks_contain(const struct networks *networks, const struct ip_address *address);

#endif
