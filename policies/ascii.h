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

/* Value of a hex digit; -1 for any other byte. */
static inline int ascii_hex(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* C0 controls and DEL. */
static inline bool ascii_is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* unreserved (RFC 3986 §2.3) */
static inline bool ascii_is_unreserved(char c)
{
    return ascii_is_letter(c) || ascii_is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/* sub-delims (RFC 3986 §2.2) */
static inline bool ascii_is_sub_delimiter(char c)
{
    return c == '!' || c == '$' || (c >= '&' && c <= ',') || c == ';' || c == '=';
}

/* Classes that are asked for byte by byte on every request; one look-up each. */
enum {
    ASCII_TOKEN = 1, /* tchar (RFC 9110 §5.6.2): what field names and methods are made of */
    ASCII_TARGET =
        2,           /* the characters of RFC 3986; where each may stand is for the judgement of the target */
    ASCII_VALUE = 4, /* what a field value may hold: no controls but TAB; bytes above 0x7f too (obs-text) */
    ASCII_PLAIN = 8, /* stands in a JSON string as it is */
};
extern const unsigned char ascii_classes[256];

static inline bool ascii_is(char c, unsigned classes)
{
    return (ascii_classes[(unsigned char)c] & classes) != 0;
}

/* How many bytes at the front are of the class. */
static inline size_t ascii_run(struct span bytes, unsigned classes)
{
    size_t length = 0;

    while (length < bytes.length && ascii_is(bytes.data[length], classes))
        length++;
    return length;
}

static inline bool ascii_is_token(char c)
{
    return ascii_is(c, ASCII_TOKEN);
}

#endif
