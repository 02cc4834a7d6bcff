#include "policies/ascii.h"

#include <stdint.h>

/* Every byte's classes, sixteen to a row. */
enum {
    o = 0,
    j = ASCII_PLAIN,
    v = ASCII_VALUE,
    p = ASCII_VALUE | ASCII_PLAIN,
    t = p | ASCII_TOKEN,
    g = p | ASCII_TARGET,
    q = g | ASCII_QUERY,
    s = q | ASCII_SEGMENT,
    n = g | ASCII_TOKEN,
    k = s | ASCII_TOKEN,
    u = k | ASCII_UNRESERVED,
};

/* clang-format off */
const unsigned char ascii_classes[256] = {
    o, o, o, o, o, o, o, o, o, v, o, o, o, o, o, o,
    o, o, o, o, o, o, o, o, o, o, o, o, o, o, o, o,
    p, k, v, n, k, n, k, k, s, s, k, k, s, u, u, q,
    u, u, u, u, u, u, u, u, u, u, s, q, p, s, p, q,
    s, u, u, u, u, u, u, u, u, u, u, u, u, u, u, u,
    u, u, u, u, u, u, u, u, u, u, u, g, v, g, t, u,
    t, u, u, u, u, u, u, u, u, u, u, u, u, u, u, u,
    u, u, u, u, u, u, u, u, u, u, u, p, t, p, u, j,
    v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v,
    v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v,
    v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v,
    v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v,
    v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v,
    v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v,
    v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v,
    v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v,
};

#define NO 0xff
const unsigned char ascii_hex_values[256] = {
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
     0,  1,  2,  3,  4,  5,  6,  7,  8,  9, NO, NO, NO, NO, NO, NO,
    NO, 10, 11, 12, 13, 14, 15, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, 10, 11, 12, 13, 14, 15, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
};
/* clang-format on */

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte)) /* in each of a word's eight bytes */
#define TOPS       EACH(0x80)

/* Not 0 when a byte of the word is below `bound` (at most 0x80), or is `byte`. */
static inline uint64_t any_below(uint64_t word, unsigned bound)
{
    return (word - EACH(bound)) & ~word & TOPS;
}

static inline uint64_t any_is(uint64_t word, unsigned byte)
{
    return any_below(word ^ EACH(byte), 1);
}

static inline uint64_t word_at(struct span bytes, size_t at)
{
    uint64_t word;

    memcpy(&word, bytes.data + at, sizeof word);
    return word;
}

/* The run that begins with `length` bytes known to be of the class. */
static size_t finish_run(struct span bytes, size_t length, unsigned class)
{
    return length + ascii_run((struct span){bytes.data + length, bytes.length - length}, class);
}

size_t ascii_value_run(struct span bytes)
{
    size_t length = 0;

    for (; bytes.length - length >= sizeof(uint64_t); length += sizeof(uint64_t)) {
        uint64_t word = word_at(bytes, length);
        if ((any_below(word, ' ') | any_is(word, 0x7f)) != 0)
            break;
    }
    return finish_run(bytes, length, ASCII_VALUE);
}

size_t ascii_plain_run(struct span bytes)
{
    size_t length = 0;

    for (; bytes.length - length >= sizeof(uint64_t); length += sizeof(uint64_t)) {
        uint64_t word = word_at(bytes, length);
        if ((any_below(word, ' ') | (word & TOPS) | any_is(word, '"') | any_is(word, '\\')) != 0)
            break;
    }
    return finish_run(bytes, length, ASCII_PLAIN);
}

bool ascii_is_secret(struct span bytes)
{
    size_t at = 0;

    for (; bytes.length - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
        uint64_t word = word_at(bytes, at);
        if ((any_below(word, '!') | (word & TOPS) | any_is(word, 0x7f) | any_is(word, ',')) != 0)
            return false;
    }
    for (; at < bytes.length; at++)
        if (bytes.data[at] <= ' ' || bytes.data[at] > '~' || bytes.data[at] == ',')
            return false;
    return true;
}
