/* Sixteen bytes at once, in the vectors of GCC and clang: an operator works on each byte, and a comparison
 * makes 0xff of each that it holds for. */
#ifndef POLICIES_VECTOR_H
#define POLICIES_VECTOR_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef unsigned char vector __attribute__((vector_size(16)));
typedef char signed_vector __attribute__((vector_size(16))); /* as the built-in functions want them */

#define VECTOR_BYTES sizeof(vector)

/* The sixteen bytes there, which need no alignment. */
static inline vector vector_load(const char *bytes)
{
    vector loaded;

    memcpy(&loaded, bytes, sizeof loaded);
    return loaded;
}

/* Is any bit of it set? */
static inline bool vector_any(vector bytes)
{
    uint64_t half[2];

    memcpy(half, &bytes, sizeof half);
    return (half[0] | half[1]) != 0;
}

/* Bit i for the top bit of byte i. Where no instruction does that, the factor brings the eight bits of a half
 * side by side, none of them in the way of another. */
static inline unsigned vector_map(vector bytes)
{
#ifdef __SSE2__
    return (unsigned)__builtin_ia32_pmovmskb128((signed_vector)bytes);
#else
    const uint64_t ones = UINT64_C(0x0101010101010101), factor = UINT64_C(0x0102040810204080);
    uint64_t half[2];

    memcpy(half, &bytes, sizeof half);
    return (unsigned)(((le64toh(half[0]) >> 7 & ones) * factor >> 56) |
                      ((le64toh(half[1]) >> 7 & ones) * factor >> 56 << 8));
#endif
}

#endif
