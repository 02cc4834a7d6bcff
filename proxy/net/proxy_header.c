#include "proxy/net/proxy_header.h"

#include <arpa/inet.h>

#define SIGNATURE_BYTES 12
#define FIXED_BYTES     16 /* signature, version and command, family and protocol, length */

#define COMMAND_LOCAL 0x20
#define COMMAND_PROXY 0x21

#define TLV_CRC32C 0x03

static const unsigned char signature[SIGNATURE_BYTES] = "\r\n\r\n\0\r\nQUIT\n";
static const char line_begin[] = "PROXY ";

static void refuse(struct proxy_header *header, const char *fault)
{
    header->state = PROXY_HEADER_REFUSED;
    header->fault = fault;
}

/* ---- version 1 ---- */

/* Takes the next word off a line whose words one space separates; empty behind the last one. */
static struct span next_word(struct span *line)
{
    const char *space = line->length > 0 ? memchr(line->data, ' ', line->length) : NULL;
    struct span word = {line->data, space != NULL ? (size_t)(space - line->data) : line->length};
    size_t used = word.length + (space != NULL ? 1 : 0);

    *line = (struct span){line->data + used, line->length - used};
    return word;
}

static bool read_port(struct span word, uint16_t *port)
{
    unsigned value = 0;

    if (word.length == 0 || word.length > 5 || (word.data[0] == '0' && word.length > 1))
        return false;
    for (size_t i = 0; i < word.length; i++) {
        if (word.data[i] < '0' || word.data[i] > '9')
            return false;
        value = value * 10 + (unsigned)(word.data[i] - '0');
    }
    *port = (uint16_t)value;
    return value <= UINT16_MAX;
}

/* An address of the family that the line names, which an IPv6 literal shows by its colons. */
static bool read_address(struct span word, bool six, struct ip_address *address)
{
    return word.length > 0 && (memchr(word.data, ':', word.length) != NULL) == six &&
           ip_address_parse(word, address);
}

static void read_endpoints(struct proxy_header *header, struct span rest, bool six)
{
    struct ip_address destination;
    uint16_t port;

    if (!read_address(next_word(&rest), six, &header->address) ||
        !read_address(next_word(&rest), six, &destination))
        refuse(header, "an address in the line is malformed, or of another family");
    else if (!read_port(next_word(&rest), &header->port) || !read_port(rest, &port))
        refuse(header, "a port in the line is malformed");
    else
        header->source = PROXY_SOURCE_IP;
}

/* The line is whole, without its CRLF. */
static void read_line(struct proxy_header *header, struct span line)
{
    struct span protocol;

    line = (struct span){line.data + sizeof line_begin - 1, line.length - (sizeof line_begin - 1)};
    protocol = next_word(&line);
    header->state = PROXY_HEADER_DONE;
    if (span_is(protocol, "TCP4") || span_is(protocol, "TCP6"))
        read_endpoints(header, line, span_is(protocol, "TCP6"));
    else if (!span_is(protocol, "UNKNOWN")) /* what follows that one is not for us to read */
        refuse(header, "the line names another protocol than TCP4, TCP6 and UNKNOWN");
}

static void take_of_line(struct proxy_header *header, unsigned char byte)
{
    size_t at = header->taken++;

    header->kept[at] = byte;
    if (at < sizeof line_begin - 1) {
        if (byte != (unsigned char)line_begin[at])
            refuse(header, "there is none");
    } else if (byte == '\n' && header->kept[at - 1] == '\r') {
        read_line(header, (struct span){(const char *)header->kept, at - 1});
    } else if ((byte < ' ' || byte > '~') && byte != '\r') {
        refuse(header, "the line holds a byte that is no visible ASCII");
    } else if (header->kept[at - 1] == '\r') {
        refuse(header, "the line holds a CR that no LF follows");
    } else if (header->taken == PROXY_LINE_BYTES) {
        refuse(header, "the line is longer than 107 bytes");
    }
}

/* ---- version 2 ---- */

/* CRC-32C (Castagnoli), bit by bit: a header is short. */
static uint32_t crc_add(uint32_t crc, unsigned char byte)
{
    crc ^= byte;
    for (int bit = 0; bit < 8; bit++)
        crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
    return crc;
}

struct family {
    unsigned char code; /* address family and transport protocol */
    enum proxy_header_source source;
    size_t addresses; /* bytes of both, with their ports */
    size_t one;       /* bytes of one address; 0: it is not looked at */
};

static const struct family *family_of(unsigned char code)
{
    static const struct family families[] = {
        {0x00, PROXY_SOURCE_NONE, 0, 0}, /* not known: whatever follows is skipped */
        {0x11, PROXY_SOURCE_IP, 12, 4},
        {0x21, PROXY_SOURCE_IP, 36, 16},
        {0x31, PROXY_SOURCE_UNIX, 216, 0},
    };

    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (families[i].code == code)
            return &families[i];
    return NULL;
}

/* Is the rest of the header of no interest? */
static bool is_opaque(const struct proxy_header *header)
{
    return header->kept[12] == COMMAND_LOCAL || header->kept[13] == 0x00;
}

/* The fixed part is whole. */
static void read_fixed(struct proxy_header *header)
{
    unsigned char command = header->kept[12];
    const struct family *family = family_of(header->kept[13]);
    size_t length = (size_t)header->kept[14] << 8 | header->kept[15];

    header->whole = FIXED_BYTES + length;
    if (command != COMMAND_LOCAL && command != COMMAND_PROXY)
        refuse(header, "its version or command is not known");
    else if (header->whole > PROXY_HEADER_MOST)
        refuse(header, "it is longer than 4096 bytes");
    else if (is_opaque(header))
        header->source = PROXY_SOURCE_NONE;
    else if (family == NULL)
        refuse(header, "its address family or protocol is none of TCP over IPv4, over IPv6, and UNIX stream");
    else if (length < family->addresses)
        refuse(header, "it is too short for its addresses");
    else
        header->source = family->source;
}

static void read_addresses(struct proxy_header *header, const struct family *family)
{
    const unsigned char *from = header->kept + FIXED_BYTES, *port = from + 2 * family->one;

    if (family->one == 0)
        return;
    header->address = ip_address_of(from, family->one);
    header->port = (uint16_t)(port[0] << 8 | port[1]);
}

/* One byte of the type-length-value fields behind the addresses. */
static void take_of_tlv(struct proxy_header *header, unsigned char byte)
{
    size_t at = header->tlv.taken++, left = header->whole - header->taken;
    bool value = at >= sizeof header->tlv.head;
    bool checksum = value && header->tlv.head[0] == TLV_CRC32C;

    header->crc = crc_add(header->crc, checksum ? 0 : byte);
    if (checksum)
        header->tlv.wanted = header->tlv.wanted << 8 | byte;
    if (!value)
        header->tlv.head[at] = byte;
    if (at == sizeof header->tlv.head - 1) {
        header->tlv.length = (unsigned)header->tlv.head[1] << 8 | header->tlv.head[2];
        if (header->tlv.length > left) {
            refuse(header, "a TLV reaches beyond it");
            return;
        }
        if (header->tlv.head[0] == TLV_CRC32C) {
            if (header->tlv.length != 4 || header->tlv.checked)
                refuse(header, "its checksum is malformed, or there twice");
            header->tlv.checked = true;
        }
    }
    if (header->tlv.taken >= sizeof header->tlv.head &&
        header->tlv.taken == sizeof header->tlv.head + header->tlv.length)
        header->tlv.taken = 0;
}

/* The header is whole. */
static void finish(struct proxy_header *header)
{
    header->state = PROXY_HEADER_DONE;
    if (is_opaque(header))
        return;
    if (header->tlv.taken > 0)
        refuse(header, "a TLV reaches beyond it");
    else if (header->tlv.checked && header->tlv.wanted != ~header->crc)
        refuse(header, "its checksum is wrong");
}

static void take_of_block(struct proxy_header *header, unsigned char byte)
{
    const struct family *family = is_opaque(header) ? NULL : family_of(header->kept[13]);
    size_t at = header->taken++, behind = FIXED_BYTES + (family != NULL ? family->addresses : 0);

    if (family != NULL && at < behind) {
        header->crc = crc_add(header->crc, byte);
        if (at < sizeof header->kept)
            header->kept[at] = byte;
        if (header->taken == behind)
            read_addresses(header, family);
    } else if (family != NULL) {
        take_of_tlv(header, byte);
    }
}

static void take_of_fixed(struct proxy_header *header, unsigned char byte)
{
    size_t at = header->taken++;

    if (at == 0)
        header->crc = ~0u;
    header->kept[at] = byte;
    header->crc = crc_add(header->crc, byte);
    if (at < SIGNATURE_BYTES && byte != signature[at])
        refuse(header, "there is none");
    else if (header->taken == FIXED_BYTES)
        read_fixed(header);
}

/* ---- both ---- */

static void take(struct proxy_header *header, unsigned char byte)
{
    unsigned char first = header->taken == 0 ? byte : header->kept[0];

    if (first != signature[0]) {
        take_of_line(header, byte);
        return;
    }
    if (header->taken < FIXED_BYTES)
        take_of_fixed(header, byte);
    else
        take_of_block(header, byte);
    if (header->state == PROXY_HEADER_MORE && header->taken >= FIXED_BYTES && header->taken == header->whole)
        finish(header);
}

size_t proxy_header_read(struct proxy_header *header, struct span bytes)
{
    size_t used = 0;

    while (header->state == PROXY_HEADER_MORE && used < bytes.length)
        take(header, (unsigned char)bytes.data[used++]);
    return used;
}
