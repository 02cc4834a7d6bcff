/* Classes of ASCII characters, the same in every locale. Bytes above 0x7f belong to none. */
#ifndef POLICIES_ASCII_H
#define POLICIES_ASCII_H

#include "policies/span.h"

static inline bool ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool ascii_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* C0 controls and DEL. */
static inline bool ascii_is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* Classes that are asked for byte by byte on every request; one look-up each. */
enum {
    ASCII_TOKEN = 1, /* tchar (RFC 9110 §5.6.2): what field names and methods are made of */
    ASCII_TARGET =
        2,           /* the characters of RFC 3986; where each may stand is for the judgement of the target */
    ASCII_VALUE = 4, /* what a field value may hold: no controls but TAB; bytes above 0x7f too (obs-text) */
    ASCII_PLAIN = 8, /* stands in a JSON string as it is */
    ASCII_UNRESERVED = 16, /* unreserved (RFC 3986 §2.3) */
    ASCII_SEGMENT = 32,    /* stands in a segment of a path as it is: pchar (§3.3) without ";" */
    ASCII_QUERY = 64,      /* stands in a query as it is (§3.4) */
};
extern const unsigned char ascii_classes[256];

/* The value of a hex digit; 0xff for any other byte. */
extern const unsigned char ascii_hex_values[256];

static inline bool ascii_is(char c, unsigned classes)
{
    return (ascii_classes[(unsigned char)c] & classes) != 0;
}

/* How many bytes at the front are of the class (one class). */
static inline size_t ascii_run(struct span bytes, unsigned class)
{
    const unsigned char *byte = (const unsigned char *)bytes.data;
    size_t length = 0;

    for (; bytes.length - length >= 4; length += 4)
        if ((ascii_classes[byte[length]] & ascii_classes[byte[length + 1]] & ascii_classes[byte[length + 2]] &
             ascii_classes[byte[length + 3]] & class) == 0)
            break;
    while (length < bytes.length && (ascii_classes[byte[length]] & class) != 0)
        length++;
    return length;
}

/* Which of the 64 bytes from `from` on (at most the length) are not unreserved, or behind the end: bit i for
 * the byte at from + i. */
uint64_t ascii_others(struct span bytes, size_t from);

/* As ascii_run() for ASCII_VALUE and for ASCII_PLAIN, eight bytes at a time. */
size_t ascii_value_run(struct span bytes);
size_t ascii_plain_run(struct span bytes);

/* Are all of them visible (RFC 5234's VCHAR) and none a comma? So it is with the secret of a credential. */
bool ascii_is_secret(struct span bytes);

/* Value of a hex digit; -1 for any other byte. */
static inline int ascii_hex(char c)
{
    return (signed char)ascii_hex_values[(unsigned char)c];
}

static inline bool ascii_is_token(char c)
{
    return ascii_is(c, ASCII_TOKEN);
}

static inline bool ascii_is_unreserved(char c)
{
    return ascii_is(c, ASCII_UNRESERVED);
}

#endif
