#include "policies/version.h"

#include "policies/ascii.h"

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

/* The digits of YYYY-MM-DD as yyyymmdd, real or not; false for another form. */
static bool read_digits(struct span text, uint32_t *date)
{
    if (text.length != DATE_LENGTH)
        return false;
    *date = 0;
    for (size_t i = 0; i < DATE_LENGTH; i++) {
        char c = text.data[i];
        if (i == 4 || i == 7) {
            if (c != '-')
                return false;
            continue;
        }
        if (!ascii_is_digit(c))
            return false;
        *date = *date * 10 + (uint32_t)(c - '0');
    }
    return true;
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
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day >= 1 && day <= days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

uint32_t version_date_parse(struct span text)
{
    uint32_t date = 0;

    return read_digits(text, &date) && version_date_is_real(date) ? date : 0;
}
