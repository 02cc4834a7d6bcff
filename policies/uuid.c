#include "policies/uuid.h"

#include "policies/vector.h"

#define TEXT_LENGTH (UUID_TEXT_SIZE - 1)

/* The digits of a UUID, without the hyphens between them. */
#define DIGITS ((size_t)2 * UUID_BYTES)

/* Where the runs of digits begin in the text, where among the digits, and how many these are. */
#define RUNS(RUN) RUN(0, 0, 8) RUN(9, 8, 4) RUN(14, 12, 4) RUN(19, 16, 4) RUN(24, 20, 12)

/* Four bytes from the values of eight digits, and back. */
static inline void pack(uint64_t values, unsigned char bytes[4])
{
    values = be64toh(values);
    values = (values | values >> 4) & UINT64_C(0x00ff00ff00ff00ff);
    values = (values | values >> 8) & UINT64_C(0x0000ffff0000ffff);
    uint32_t packed = htobe32((uint32_t)(values | values >> 16));
    memcpy(bytes, &packed, sizeof packed);
}

static inline uint64_t unpack(const unsigned char bytes[4])
{
    uint32_t packed;

    memcpy(&packed, bytes, sizeof packed);
    uint64_t values = be32toh(packed);
    values = (values | values << 16) & UINT64_C(0x0000ffff0000ffff);
    values = (values | values << 8) & UINT64_C(0x00ff00ff00ff00ff);
    return htobe64((values | values << 4) & UINT64_C(0x0f0f0f0f0f0f0f0f));
}

/* Eight bytes from sixteen hex digits; false where one of these is none. */
static inline bool read_digits(const char *digits, unsigned char bytes[8])
{
    const vector raw = vector_load(digits), digit = raw - '0', letter = (raw | 0x20) - 'a';
    const vector is_digit = (vector)(digit < 10), is_letter = (vector)(letter < 6);
    const vector value = (digit & is_digit) | ((letter + 10) & is_letter);
    uint64_t half[2];

    if (vector_any(~(is_digit | is_letter)))
        return false;
    memcpy(half, &value, sizeof half);
    pack(half[0], bytes);
    pack(half[1], bytes + 4);
    return true;
}

bool uuid_parse(struct span text, unsigned char id[UUID_BYTES])
{
    char digits[DIGITS];

    if (text.length != TEXT_LENGTH || text.data[8] != '-' || text.data[13] != '-' || text.data[18] != '-' ||
        text.data[23] != '-')
        return false;
#define GATHER(from, to, count) memcpy(digits + (to), text.data + (from), count);
    RUNS(GATHER)
    return read_digits(digits, id) && read_digits(digits + 16, id + 8);
}

bool is_uuid(struct span text)
{
    unsigned char id[UUID_BYTES];

    return uuid_parse(text, id);
}

/* Of what a UUID is spelled with, capitals alone have the one bit and not the other. */
static inline vector capitals(const char *text)
{
    return (vector)((vector_load(text) & 0x60) == 0x40);
}

bool uuid_is_lower(struct span text)
{
    return !vector_any(capitals(text.data) | capitals(text.data + 16) |
                       capitals(text.data + TEXT_LENGTH - 16));
}

/* Sixteen digits from eight bytes. */
static inline void spell_digits(const unsigned char bytes[8], char *digits)
{
    const uint64_t half[2] = {unpack(bytes), unpack(bytes + 4)};
    vector value;

    memcpy(&value, half, sizeof value);
    value += '0' + ((vector)(value > 9) & ('a' - '0' - 10));
    memcpy(digits, &value, sizeof value);
}

void uuid_spell(const unsigned char id[UUID_BYTES], char text[UUID_TEXT_SIZE])
{
    char digits[DIGITS];

    spell_digits(id, digits);
    spell_digits(id + 8, digits + 16);
    memset(text, '-', TEXT_LENGTH);
    text[TEXT_LENGTH] = '\0';
#define SCATTER(to, from, count) memcpy(text + (to), digits + (from), count);
    RUNS(SCATTER)
}
