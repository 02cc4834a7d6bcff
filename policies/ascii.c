#include "policies/ascii.h"

#include "policies/vector.h"

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

/* 0xff for each byte that is not unreserved: no letter, no digit and none of "-._~". */
static inline vector others_of(const char *bytes)
{
    const vector raw = vector_load(bytes), letter = (raw | 0x20) - 'a', low = raw - '-';

    return ~((vector)(letter < 26) | ((vector)(low <= '9' - '-') & ~(vector)(raw == '/')) |
             (vector)(raw == '_') | (vector)(raw == '~'));
}

uint64_t ascii_others(struct span bytes, size_t from)
{
    uint64_t map = 0;
    unsigned known = 0;

    for (; known < 64 && bytes.length - from >= known + VECTOR_BYTES; known += VECTOR_BYTES)
        map |= (uint64_t)vector_map(others_of(bytes.data + from + known)) << known;
    if (known < 64) {
        char last[VECTOR_BYTES] = {0}; /* NUL is not unreserved */
        size_t left = bytes.length - from - known;
        if (left > 0)
            memcpy(last, bytes.data + from + known, left);
        map |= (UINT64_MAX << 16 | vector_map(others_of(last))) << known;
    }
    return map;
}

/* 0xff for each byte that a secret cannot hold. */
static inline vector open_of(const char *bytes)
{
    const vector raw = vector_load(bytes);

    return (vector)((vector)(raw - '!') > '~' - '!') | (vector)(raw == ',');
}

bool ascii_is_secret(struct span bytes)
{
    size_t at = 0;

    if (bytes.length < VECTOR_BYTES) {
        while (at < bytes.length && bytes.data[at] > ' ' && bytes.data[at] <= '~' && bytes.data[at] != ',')
            at++;
        return at == bytes.length;
    }
    vector open = open_of(bytes.data + bytes.length - VECTOR_BYTES);
    for (; bytes.length - at > VECTOR_BYTES; at += VECTOR_BYTES)
        open |= open_of(bytes.data + at);
    return !vector_any(open);
}
