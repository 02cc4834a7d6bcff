#include "policies/ascii.h"

/* Every byte's classes, sixteen to a row. */
enum {
    o = 0,
    j = ASCII_PLAIN,
    v = ASCII_VALUE,
    p = ASCII_VALUE | ASCII_PLAIN,
    t = ASCII_VALUE | ASCII_PLAIN | ASCII_TOKEN,
    g = ASCII_VALUE | ASCII_PLAIN | ASCII_TARGET,
    a = ASCII_VALUE | ASCII_PLAIN | ASCII_TOKEN | ASCII_TARGET,
};

/* clang-format off */
const unsigned char ascii_classes[256] = {
    o, o, o, o, o, o, o, o, o, v, o, o, o, o, o, o,
    o, o, o, o, o, o, o, o, o, o, o, o, o, o, o, o,
    p, a, v, a, a, a, a, a, g, g, a, a, g, a, a, g,
    a, a, a, a, a, a, a, a, a, a, g, g, p, g, p, g,
    g, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a,
    a, a, a, a, a, a, a, a, a, a, a, g, v, g, t, a,
    t, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a,
    a, a, a, a, a, a, a, a, a, a, a, p, t, p, a, j,
    v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v,
    v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v,
    v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v,
    v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v,
    v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v,
    v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v,
    v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v,
    v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v,
};
/* clang-format on */
