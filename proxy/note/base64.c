#include "proxy/note/base64.h"

#include "policies/ascii.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_write(const unsigned char *bytes, size_t length, struct text *out)
{
    for (size_t at = 0; at < length; at += 3) {
        size_t left = length - at;
        unsigned group = (unsigned)bytes[at] << 16 | (left > 1 ? (unsigned)bytes[at + 1] << 8 : 0) |
                         (left > 2 ? bytes[at + 2] : 0);
        char spelt[4] = {digits[group >> 18], digits[group >> 12 & 63],
                         left > 1 ? digits[group >> 6 & 63] : '=', left > 2 ? digits[group & 63] : '='};

        text_add(out, spelt, sizeof spelt);
    }
}

/* -1: no digit. */
static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (ascii_is_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_length(struct span text, size_t *length)
{
    size_t used = text.length;

    while (used > 0 && text.length - used < 2 && text.data[used - 1] == '=')
        used--;
    if (text.length % 4 != 0)
        return false;
    for (size_t i = 0; i < used; i++)
        if (value_of(text.data[i]) < 0)
            return false;

    /* Bits of the last digit that belong to no byte are zero. */
    unsigned idle = used == text.length ? 0 : text.length - used == 1 ? 3 : 15;
    if (idle != 0 && ((unsigned)value_of(text.data[used - 1]) & idle) != 0)
        return false;
    *length = used * 3 / 4;
    return true;
}

bool base64_read(struct span text, unsigned char *bytes, size_t length)
{
    size_t spelt;
    unsigned bits = 0;

    if (!base64_length(text, &spelt) || spelt != length)
        return false;
    for (size_t i = 0, written = 0; written < length; i++) {
        bits = (bits << 6 | (unsigned)value_of(text.data[i])) & 0xffff;
        if (i % 4 != 0)
            bytes[written++] = (unsigned char)(bits >> (6 - 2 * (i % 4)));
    }
    return true;
}
