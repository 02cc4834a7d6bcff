/* The formats that strings can have. */
#include "policies/ascii.h"
#include "policies/schema_internal.h"
#include "policies/target.h"
#include "policies/uuid.h"
#include "policies/version.h"

#define HOSTNAME_MAX 253
#define LABEL_MAX    63

static struct span slice(struct span text, size_t from, size_t length)
{
    return (struct span){text.data + from, length};
}

/* RFC 1123: labels of letters, digits and inner hyphens, between dots. */
static bool is_hostname(struct span text)
{
    size_t label = 0;

    if (text.length == 0 || text.length > HOSTNAME_MAX)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        bool last = i + 1 == text.length || text.data[i + 1] == '.';
        if (c == '.') {
            if (label == 0 || last)
                return false;
            label = 0;
        } else if ((!ascii_is_letter(c) && !ascii_is_digit(c) && (c != '-' || label == 0 || last)) ||
                   ++label > LABEL_MAX) {
            return false;
        }
    }
    return true;
}

static bool is_date(struct span text)
{
    return version_date_parse(text) != 0;
}

/* Two digits, at most `max`. */
static bool is_two_digits(struct span text, size_t at, int max)
{
    return at + 2 <= text.length && ascii_is_digit(text.data[at]) && ascii_is_digit(text.data[at + 1]) &&
           (text.data[at] - '0') * 10 + (text.data[at + 1] - '0') <= max;
}

static bool is_offset(struct span text)
{
    if (text.length == 1)
        return ascii_lower(text.data[0]) == 'z';
    return text.length == 6 && (text.data[0] == '+' || text.data[0] == '-') && is_two_digits(text, 1, 23) &&
           text.data[3] == ':' && is_two_digits(text, 4, 59);
}

/* RFC 3339: "2024-10-15T12:34:56.789Z" */
static bool is_date_time(struct span text)
{
    size_t at = sizeof "2024-10-15T12:34:56" - 1;

    if (text.length <= at || !is_date(slice(text, 0, 10)) || ascii_lower(text.data[10]) != 't')
        return false;
    if (!is_two_digits(text, 11, 23) || text.data[13] != ':' || !is_two_digits(text, 14, 59) ||
        text.data[16] != ':' || !is_two_digits(text, 17, 60))
        return false;
    if (text.data[at] == '.') {
        size_t first = ++at;
        while (at < text.length && ascii_is_digit(text.data[at]))
            at++;
        if (at == first)
            return false;
    }
    return is_offset(slice(text, at, text.length - at));
}

bool format_matches(enum format format, struct span text)
{
    switch (format) {
    case FORMAT_UUID:
        return is_uuid(text);
    case FORMAT_HOSTNAME:
        return is_hostname(text);
    case FORMAT_DATE:
        return is_date(text);
    case FORMAT_DATE_TIME:
        return is_date_time(text);
    case FORMAT_NONE:
    case FORMAT_INT32:
        break;
    }
    return true;
}
