#include "policies/uuid.h"

#include "policies/ascii.h"

/* Where the two digits of each byte begin; the hyphens stand between. */
static const unsigned char digits_at[UUID_BYTES] = {0,  2,  4,  6,  9,  11, 14, 16,
                                                    19, 21, 24, 26, 28, 30, 32, 34};

static bool has_hyphens(const char *text)
{
    return text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-';
}

bool uuid_parse(struct span text, unsigned char id[UUID_BYTES])
{
    unsigned seen = 0; /* above 15 when one of the digits was none */

    if (text.length != UUID_TEXT_SIZE - 1 || !has_hyphens(text.data))
        return false;
    for (size_t i = 0; i < UUID_BYTES; i++) {
        unsigned high = ascii_hex_values[(unsigned char)text.data[digits_at[i]]];
        unsigned low = ascii_hex_values[(unsigned char)text.data[digits_at[i] + 1]];
        seen |= high | low;
        id[i] = (unsigned char)(high << 4 | low);
    }
    return seen < 16;
}

bool is_uuid(struct span text)
{
    unsigned char id[UUID_BYTES];

    return uuid_parse(text, id);
}

void uuid_spell(const unsigned char id[UUID_BYTES], char text[UUID_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";

    memcpy(text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", UUID_TEXT_SIZE);
    for (size_t i = 0; i < UUID_BYTES; i++) {
        text[digits_at[i]] = digits[id[i] >> 4];
        text[digits_at[i] + 1] = digits[id[i] & 15];
    }
}
