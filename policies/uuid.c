#include "policies/uuid.h"

#include <endian.h>
#include <stdint.h>

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte)) /* in each of a word's eight bytes */
#define TOPS       EACH(0x80)

/* Where the two digits of each byte begin; the hyphens stand between. */
static const unsigned char digits_at[UUID_BYTES] = {0,  2,  4,  6,  9,  11, 14, 16,
                                                    19, 21, 24, 26, 28, 30, 32, 34};

/* The top bit of each byte that is not below the bound; all of them are below 0x80. */
static inline uint64_t not_below(uint64_t word, unsigned bound)
{
    return (word + EACH(0x80 - bound)) & TOPS;
}

/* Four bytes from eight hex digits at once; false where one of these is none. */
static bool read_digits(const char digits[8], unsigned char bytes[4])
{
    uint64_t word;

    memcpy(&word, digits, sizeof word);
    uint64_t low = word | EACH(0x20), ascii = ~word & TOPS;
    uint64_t letter = not_below(low & ~TOPS, 'a') & ~not_below(low & ~TOPS, 'f' + 1);
    uint64_t digit = not_below(word & ~TOPS, '0') & ~not_below(word & ~TOPS, '9' + 1);
    if (((letter | digit) & ascii) != TOPS)
        return false;
    word = be64toh((word & EACH(0x0f)) + (letter >> 7) * 9);
    word = (word | word >> 4) & UINT64_C(0x00ff00ff00ff00ff);
    word = (word | word >> 8) & UINT64_C(0x0000ffff0000ffff);
    uint32_t value = htobe32((uint32_t)(word | word >> 16));
    memcpy(bytes, &value, sizeof value);
    return true;
}

static bool has_hyphens(const char *text)
{
    return text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-';
}

bool uuid_parse(struct span text, unsigned char id[UUID_BYTES])
{
    char middle[16];

    if (text.length != UUID_TEXT_SIZE - 1 || !has_hyphens(text.data))
        return false;
    memcpy(middle, text.data + 9, 4);
    memcpy(middle + 4, text.data + 14, 4);
    memcpy(middle + 8, text.data + 19, 4);
    memcpy(middle + 12, text.data + 24, 4);
    return read_digits(text.data, id) && read_digits(middle, id + 4) && read_digits(middle + 8, id + 8) &&
           read_digits(text.data + 28, id + 12);
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
