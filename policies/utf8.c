#include "policies/utf8.h"

#include <stdint.h>

static bool is_continuation(unsigned char byte)
{
    return byte >= 0x80 && byte <= 0xbf;
}

size_t utf8_sequence(struct span bytes, size_t at)
{
    const unsigned char *byte = (const unsigned char *)bytes.data + at;
    unsigned char lead = byte[0];

    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;

    size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (bytes.length - at < length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if (!is_continuation(byte[i]))
            return 0;

    /* Four lead bytes narrow their second byte: overlong forms, surrogates, beyond U+10FFFF. */
    if ((lead == 0xe0 && byte[1] < 0xa0) || (lead == 0xed && byte[1] > 0x9f) ||
        (lead == 0xf0 && byte[1] < 0x90) || (lead == 0xf4 && byte[1] > 0x8f))
        return 0;
    return length;
}

/* ASCII alone, eight bytes at a time: how many at the front. */
static size_t ascii_words(struct span bytes)
{
    uint64_t word;
    size_t length = 0;

    for (; bytes.length - length >= sizeof word; length += sizeof word) {
        memcpy(&word, bytes.data + length, sizeof word);
        if ((word & UINT64_C(0x8080808080808080)) != 0)
            break;
    }
    return length;
}

bool utf8_is_valid(struct span bytes)
{
    for (size_t at = ascii_words(bytes); at < bytes.length;) {
        size_t length = (unsigned char)bytes.data[at] < 0x80 ? 1 : utf8_sequence(bytes, at);
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

size_t text_characters(struct span text)
{
    size_t count = 0;

    for (size_t at = 0, length; at < text.length; at += length, count++) {
        unsigned char c = (unsigned char)text.data[at];
        length = utf8_sequence(text, at);
        if (length == 0 || c < ' ' || c == 0x7f)
            return SIZE_MAX;
        if (c == 0xc2 && (unsigned char)text.data[at + 1] < 0xa0)
            return SIZE_MAX;
    }
    return count;
}
