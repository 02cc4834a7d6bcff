/* The header of the PROXY protocol (haproxy's proxy-protocol.txt), versions 1 and 2: what a proxy sends
 * before the first byte of its client, to say who that is. Pure; takes the bytes in pieces of any size and
 * never looks back.
 *
 * Stricter than the text where it leaves room: a version 1 line is spelt in one way only, ports without
 * leading zeros; a version 2 header for a stream only, its TLVs whole and within the header, a CRC32c that is
 * there right, and PROXY_HEADER_MOST bytes at most in all. */
#ifndef PROXY_NET_PROXY_HEADER_H
#define PROXY_NET_PROXY_HEADER_H

#include "policies/network.h"
#include "policies/span.h"

#include <stdint.h>

#define PROXY_LINE_BYTES  107 /* of a version 1 header, its CRLF included */
#define PROXY_HEADER_MOST 4096

enum proxy_header_state {
    PROXY_HEADER_MORE,
    PROXY_HEADER_DONE,
    PROXY_HEADER_REFUSED, /* see `fault` */
};

/* Whom it names. */
enum proxy_header_source {
    PROXY_SOURCE_NONE, /* LOCAL or UNKNOWN: the connection is the proxy's own, or it cannot tell */
    PROXY_SOURCE_IP,
    PROXY_SOURCE_UNIX,
};

/* A zeroed struct is ready to begin. */
struct proxy_header {
    enum proxy_header_state state;
    const char *fault; /* why it was refused: static */
    enum proxy_header_source source;
    struct ip_address address; /* PROXY_SOURCE_IP */
    uint16_t port;

    /* The inside. */
    size_t taken;                         /* bytes so far */
    unsigned char kept[PROXY_LINE_BYTES]; /* the line, or the first bytes up to the end of the addresses */
    size_t whole;                         /* version 2: length of the header */
    struct {
        unsigned char head[3]; /* type and length */
        size_t taken;          /* of the TLV */
        unsigned length;       /* of its value */
        bool checked;          /* a checksum was seen */
        uint32_t wanted;       /* it */
    } tlv;
    uint32_t crc; /* of what came so far, the checksum itself taken for zero */
};

/* Takes bytes until the header is complete or refused; how many. */
size_t proxy_header_read(struct proxy_header *header, struct span bytes);

#endif
