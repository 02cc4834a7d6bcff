#include "policies/moment.h"

#include "policies/ascii.h"
#include "policies/version.h"

#define YEAR_FIRST   1970
#define SECONDS_LAST INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

/* Days in the four centuries after which the calendar repeats itself, and so on downwards. */
#define DAYS_400 146097
#define DAYS_100 36524
#define DAYS_4   1461
#define DAYS_1   365

/* Years are counted from March on here, so that the day that comes and goes is the last of its year. In such
 * a year month m (0 is March) begins at day (153 m + 2) / 5. */
#define EPOCH_SINCE_MARCH_0000 719468

int64_t moment_days(uint32_t date)
{
    int64_t year = date / 10000, month = date / 100 % 100, day = date % 100;

    year -= month <= 2;
    month = (month + 9) % 12;
    return year * DAYS_1 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 -
           EPOCH_SINCE_MARCH_0000;
}

/* The date (yyyymmdd) of so many days after 1970-01-01. */
static uint32_t date_of(int64_t days)
{
    int64_t since = days + EPOCH_SINCE_MARCH_0000, cycle = since / DAYS_400, left = since % DAYS_400;
    int64_t year = (left - left / (DAYS_4 - 1) + left / DAYS_100 - left / (DAYS_400 - 1)) / DAYS_1;
    int64_t day = left - (year * DAYS_1 + year / 4 - year / 100), month = (5 * day + 2) / 153;

    day -= (153 * month + 2) / 5 - 1;
    year += cycle * 400 + (month >= 10);
    month = (month + 2) % 12 + 1;
    return (uint32_t)(year * 10000 + month * 100 + day);
}

/* Two digits at the place, at most `most`; -1 otherwise. */
static int two_digits(struct span text, size_t at, int most)
{
    if (!ascii_is_digit(text.data[at]) || !ascii_is_digit(text.data[at + 1]))
        return -1;
    int number = (text.data[at] - '0') * 10 + (text.data[at + 1] - '0');
    return number <= most ? number : -1;
}

bool moment_read(struct span text, int64_t *seconds)
{
    if (text.length != MOMENT_TEXT_SIZE - 1 || text.data[10] != 'T' || text.data[13] != ':' ||
        text.data[16] != ':' || text.data[19] != 'Z')
        return false;

    uint32_t date = version_date_parse((struct span){text.data, 10});
    int hour = two_digits(text, 11, 23), minute = two_digits(text, 14, 59), second = two_digits(text, 17, 59);
    if (date / 10000 < YEAR_FIRST || hour < 0 || minute < 0 || second < 0)
        return false;
    *seconds = moment_days(date) * MOMENT_DAY + hour * 3600 + minute * 60 + second;
    return true;
}

/* A number of so many digits, and the byte behind it. */
static char *put(char *to, uint32_t number, size_t digits, char behind)
{
    for (size_t i = digits; i-- > 0; number /= 10)
        to[i] = (char)('0' + number % 10);
    to[digits] = behind;
    return to + digits + 1;
}

void moment_write(int64_t seconds, char text[static MOMENT_TEXT_SIZE])
{
    int64_t shown = seconds < 0 ? 0 : seconds > SECONDS_LAST ? SECONDS_LAST : seconds;
    uint32_t date = date_of(shown / MOMENT_DAY), clock = (uint32_t)(shown % MOMENT_DAY);

    text = put(text, date / 10000, 4, '-');
    text = put(text, date / 100 % 100, 2, '-');
    text = put(text, date % 100, 2, 'T');
    text = put(text, clock / 3600, 2, ':');
    text = put(text, clock / 60 % 60, 2, ':');
    text = put(text, clock % 60, 2, 'Z');
    *text = '\0';
}
