#include "proxy/audit/when.h"

#include "policies/ascii.h"
#include "policies/moment.h"
#include "policies/version.h"

#define SECOND 1000000LL

static bool read_ago(struct span text, int64_t *ago_us)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', MOMENT_DAY}, {'w', 7 * MOMENT_DAY}};
    int64_t number = 0;

    if (text.length < 2 || text.length > 7) /* a million of each is enough */
        return false;
    for (size_t i = 0; i + 1 < text.length; i++) {
        if (!ascii_is_digit(text.data[i]))
            return false;
        number = number * 10 + (text.data[i] - '0');
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (text.data[text.length - 1] == units[i].unit) {
            *ago_us = number * units[i].seconds * SECOND;
            return true;
        }
    return false;
}

/* Takes a number of so many digits from the front; -1 when there is none. */
static int64_t take_number(struct span *text, size_t count)
{
    int64_t number = 0;

    if (text->length < count)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (!ascii_is_digit(text->data[i]))
            return -1;
        number = number * 10 + (text->data[i] - '0');
    }
    *text = (struct span){text->data + count, text->length - count};
    return number;
}

static bool take(struct span *text, const char *any_of)
{
    if (text->length == 0 || text->data[0] == '\0' || strchr(any_of, text->data[0]) == NULL)
        return false;
    *text = (struct span){text->data + 1, text->length - 1};
    return true;
}

static bool within(int64_t number, int64_t low, int64_t high)
{
    return number >= low && number <= high;
}

/* Days since the epoch. */
static bool take_date(struct span *text, int64_t *days)
{
    const size_t length = sizeof "2026-01-31" - 1;
    uint32_t date = text->length < length ? 0 : version_date_parse((struct span){text->data, length});

    if (date / 10000 < 1970)
        return false;
    *days = moment_days(date);
    *text = (struct span){text->data + length, text->length - length};
    return true;
}

/* "23:59:59.123456" */
static bool take_clock(struct span *text, int64_t *us)
{
    int64_t hour = take_number(text, 2), minute, second;

    if (!within(hour, 0, 23) || !take(text, ":") || !within(minute = take_number(text, 2), 0, 59))
        return false;
    if (!take(text, ":") || !within(second = take_number(text, 2), 0, 60))
        return false;
    *us = ((hour * 60 + minute) * 60 + second) * SECOND;
    if (!take(text, "."))
        return true;

    int64_t unit = SECOND / 10;
    for (int64_t digit; (digit = take_number(text, 1)) >= 0; unit /= 10)
        *us += digit * unit;
    return unit < SECOND / 10; /* a digit at least */
}

/* "Z", "+01:00" */
static bool take_zone(struct span *text, int64_t *us)
{
    *us = 0;
    if (take(text, "Zz"))
        return true;

    int64_t sign = text->length > 0 && text->data[0] == '-' ? -1 : 1, hours, minutes;
    if (!take(text, "+-") || !within(hours = take_number(text, 2), 0, 23) || !take(text, ":") ||
        !within(minutes = take_number(text, 2), 0, 59))
        return false;
    *us = sign * (hours * 60 + minutes) * 60 * SECOND;
    return true;
}

bool when_read(struct span text, int64_t now_us, int64_t *epoch_us)
{
    int64_t days, ago, time_of_day, zone;

    if (read_ago(text, &ago)) {
        *epoch_us = now_us - ago;
        return true;
    }
    if (!take_date(&text, &days))
        return false;
    *epoch_us = days * MOMENT_DAY * SECOND;
    if (text.length == 0)
        return true;
    if (!take(&text, "Tt ") || !take_clock(&text, &time_of_day) || !take_zone(&text, &zone))
        return false;
    *epoch_us += time_of_day - zone;
    return text.length == 0;
}
