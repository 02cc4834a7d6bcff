#include "policies/version.h"

#include <endian.h>

#define DATE_LENGTH 10 /* YYYY-MM-DD */

/* The first row of a stability is the name it is shown by. */
static const struct {
    const char *name;
    enum stability stability;
} names[] = {
    {"wip", STABILITY_WIP},
    {"work-in-progress", STABILITY_WIP},
    {"experimental", STABILITY_EXPERIMENTAL},
    {"beta", STABILITY_BETA},
    {"ga", STABILITY_GA},
};

const char *stability_name(enum stability stability)
{
    for (size_t row = 0; row < sizeof names / sizeof *names; row++)
        if (names[row].stability == stability)
            return names[row].name;
    return "unknown";
}

bool stability_named(struct span name, enum stability *stability)
{
    for (size_t row = 0; row < sizeof names / sizeof *names; row++)
        if (span_is(name, names[row].name)) {
            *stability = names[row].stability;
            return true;
        }
    return false;
}

/* The number that eight digits spell; false where one is none. All at once: each byte of a word is a digit
 * when its upper half is 3, and is still when 6 is added. */
static bool read_number(const char digits[8], uint32_t *number)
{
    const uint64_t upper = UINT64_C(0xf0f0f0f0f0f0f0f0), three = UINT64_C(0x3030303030303030);
    uint64_t word;

    memcpy(&word, digits, sizeof word);
    word = le64toh(word);
    if ((word & upper) != three || ((word + UINT64_C(0x0606060606060606)) & upper) != three)
        return false;
    word -= three;
    word = (word * 10 + (word >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    word = (word * 100 + (word >> 16)) & UINT64_C(0x0000ffff0000ffff);
    *number = (uint32_t)(word * 10000 + (word >> 32));
    return true;
}

/* The digits of YYYY-MM-DD as yyyymmdd, real or not; false for another form. */
static bool read_digits(struct span text, uint32_t *date)
{
    char digits[8];

    *date = 0;
    if (text.length != DATE_LENGTH || text.data[4] != '-' || text.data[7] != '-')
        return false;
    memcpy(digits, text.data, 4);
    memcpy(digits + 4, text.data + 5, 2);
    memcpy(digits + 6, text.data + 8, 2);
    return read_number(digits, date);
}

bool version_parse(struct span text, struct version *version)
{
    struct span date = {text.data, text.length < DATE_LENGTH ? text.length : DATE_LENGTH};
    struct span word = text;

    version->date = 0;
    version->stability = STABILITY_GA;
    if (read_digits(date, &version->date)) {
        if (version->date == 0) /* 0000-00-00 must not look like a bare word */
            return false;
        if (text.length == DATE_LENGTH)
            return true;
        if (text.data[DATE_LENGTH] != '~')
            return false;
        word = (struct span){text.data + DATE_LENGTH + 1, text.length - DATE_LENGTH - 1};
    }
    /* "ga" is what a bare date means; a version never spells it out. */
    return stability_named(word, &version->stability) && version->stability != STABILITY_GA;
}

bool version_date_is_real(uint32_t date)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint32_t year = date / 10000, month = date / 100 % 100, day = date % 100;

    if (year < 1 || year > 9999 || month < 1 || month > 12)
        return false;
    if (day <= 28)
        return day >= 1;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day <= days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

uint32_t version_date_parse(struct span text)
{
    uint32_t date = 0;

    return read_digits(text, &date) && version_date_is_real(date) ? date : 0;
}
