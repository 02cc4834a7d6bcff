#include "policies/base64url.h"

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool base64url_read(struct span text, struct arena *arena, struct span *bytes)
{
    size_t length = text.length / 4 * 3 + text.length % 4 * 3 / 4, at = 0;
    unsigned held = 0, bits = 0;

    if (text.length % 4 == 1)
        return false;
    char *out = arena_take(arena, length + 1);
    if (out == NULL)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        int value = value_of(text.data[i]);
        if (value < 0)
            return false;
        held = held << 6 | (unsigned)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[at++] = (char)(held >> bits & 0xff);
        }
        held &= (1u << bits) - 1;
    }
    out[at] = '\0';
    *bytes = (struct span){out, at};
    return held == 0; /* bits that spell no byte */
}
