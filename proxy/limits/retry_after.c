#include "proxy/limits/retry_after.h"

#include "policies/ascii.h"

#include <time.h>

#define DATE_BYTES  40 /* the longest form has 33: "Wednesday, 09-Nov-94 08:49:37 GMT" */
#define DIGITS_MOST 10

static int64_t read_seconds(struct span value)
{
    int64_t seconds = 0;

    if (value.length > DIGITS_MOST)
        return -1;
    for (size_t i = 0; i < value.length; i++)
        seconds = seconds * 10 + (value.data[i] - '0');
    return seconds;
}

/* Seconds since the epoch; -1 for no date. */
static int64_t read_date(struct span value)
{
    static const char *const forms[] = {"%a, %d %b %Y %T GMT", "%A, %d-%b-%y %T GMT", "%a %b %e %T %Y"};
    char text[DATE_BYTES];

    if (value.length >= sizeof text)
        return -1;
    memcpy(text, value.data, value.length);
    text[value.length] = '\0';
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm day = {0};
        const char *end = strptime(text, forms[i], &day);
        if (end != NULL && *end == '\0')
            return timegm(&day);
    }
    return -1;
}

int64_t retry_after_read(struct span value, int64_t epoch_s)
{
    bool digits = value.length > 0;

    for (size_t i = 0; i < value.length; i++)
        digits = digits && ascii_is_digit(value.data[i]);
    if (digits)
        return read_seconds(value);
    int64_t date = value.length > 0 ? read_date(value) : -1;
    return date > epoch_s ? date - epoch_s : -1;
}
