#include "proxy/upstream/reading.h"

#include "policies/ascii.h"
#include "policies/target.h"
#include "policies/uuid.h"

#include <time.h>

#define CURSOR_NAME "starting_after="
#define LONGEST_S   86400 /* that a Retry-After is followed */

json_t *reading_document(struct span body, const char **fault)
{
    struct json_fault wrong;
    json_t *document = json_read_strict(body, DOCUMENT_DEPTH, &wrong);

    if (json_is_object(document))
        return document;
    *fault = document ? "the answer is no JSON object" : "the answer is not strict JSON";
    json_decref(document);
    return NULL;
}

bool reading_resource(json_t *resource, char id[static READING_ID], json_t **attributes, const char **fault)
{
    json_t *name = json_object_get(resource, "id");
    struct span text = {json_string_value(name), json_string_length(name)};

    *attributes = json_object_get(resource, "attributes");
    if (!json_is_object(resource) || !is_uuid(text) || !json_is_object(*attributes)) {
        *fault = "the answer holds what is no resource with an id and attributes";
        return false;
    }
    for (size_t i = 0; i < READING_ID - 1; i++)
        id[i] = ascii_lower(text.data[i]);
    id[READING_ID - 1] = '\0';
    return true;
}

/* Undoes the percent-encoding of one parameter's value; false when it is too long or broken. */
static bool decode(const char *from, size_t length, char cursor[static READING_CURSOR])
{
    size_t used = 0;

    for (size_t i = 0; i < length; i++) {
        char c = from[i];
        if (used + 1 >= READING_CURSOR)
            return false;
        if (c == '%') {
            int high = i + 2 < length ? ascii_hex(from[i + 1]) : -1;
            int low = i + 2 < length ? ascii_hex(from[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        cursor[used++] = c;
    }
    cursor[used] = '\0';
    return used == strlen(cursor);
}

/* "v1." and base64 of either alphabet. */
static bool is_cursor(const char *cursor)
{
    static const char prefix[] = "v1.";
    size_t at = sizeof prefix - 1, digits = 0;

    if (strncmp(cursor, prefix, at) != 0)
        return false;
    for (; ascii_is_letter(cursor[at]) || ascii_is_digit(cursor[at]) ||
           (cursor[at] != '\0' && strchr("+/_-", cursor[at]) != NULL);
         at++)
        digits++;
    return digits > 0 && strspn(cursor + at, "=") <= 2 && cursor[at + strspn(cursor + at, "=")] == '\0';
}

/* The parameter's value in a link's query: its length, -1 without one. */
static ptrdiff_t find_cursor(struct span link, const char **value)
{
    const char *end = link.data + link.length;
    const char *at = memchr(link.data, '?', link.length);
    size_t name = sizeof CURSOR_NAME - 1;

    while (at != NULL && at < end) {
        const char *item = at + 1, *stop = item;
        while (stop < end && *stop != '&' && *stop != '#')
            stop++;
        if ((size_t)(stop - item) >= name && memcmp(item, CURSOR_NAME, name) == 0) {
            *value = item + name;
            return stop - *value;
        }
        at = stop < end && *stop == '&' ? stop : NULL;
    }
    return -1;
}

bool reading_next(json_t *document, char cursor[static READING_CURSOR], const char **fault)
{
    json_t *links = json_object_get(document, "links"), *next = json_object_get(links, "next");
    const char *value = NULL;

    cursor[0] = '\0';
    if (json_is_object(next))
        next = json_object_get(next, "href");
    if (links == NULL || json_is_null(links) ||
        (json_is_object(links) && (next == NULL || json_is_null(next))))
        return true;
    if (!json_is_object(links) || !json_is_string(next)) {
        *fault = "the answer's links have another form than the API's";
        return false;
    }
    struct span link = {json_string_value(next), json_string_length(next)};
    if (link.length == 0)
        return true;
    ptrdiff_t length = find_cursor(link, &value);
    if (length >= 0 && decode(value, (size_t)length, cursor) && is_cursor(cursor))
        return true;
    cursor[0] = '\0';
    *fault = "the answer's link to the next page holds no cursor of the API's";
    return false;
}

/* ---- times ---- */

/* Takes a number of exactly `digits` digits, and the byte behind it (0: none is asked for). */
static bool take(struct span *text, size_t digits, char behind, int *number)
{
    size_t length = digits + (behind != '\0');

    *number = 0;
    if (text->length < length)
        return false;
    for (size_t i = 0; i < digits; i++) {
        if (!ascii_is_digit(text->data[i]))
            return false;
        *number = *number * 10 + (text->data[i] - '0');
    }
    if (behind != '\0' && text->data[digits] != behind && text->data[digits] != ascii_lower(behind))
        return false;
    *text = (struct span){text->data + length, text->length - length};
    return true;
}

/* The fraction of a second, as microseconds; finer digits are passed over. */
static bool take_fraction(struct span *text, int *fraction)
{
    int scale = 100000;
    size_t used = 1;

    *fraction = 0;
    if (text->length == 0 || text->data[0] != '.')
        return true;
    for (; used < text->length && ascii_is_digit(text->data[used]); used++, scale /= 10)
        *fraction += scale * (text->data[used] - '0');
    *text = (struct span){text->data + used, text->length - used};
    return used > 1;
}

/* "Z" or "+01:00", to the end of the text. */
static bool take_offset(struct span text, int *seconds)
{
    int hours, minutes;
    char sign = text.length > 0 ? text.data[0] : '\0';

    *seconds = 0;
    if (text.length == 1)
        return sign == 'Z' || sign == 'z';
    if (sign != '+' && sign != '-')
        return false;
    text = (struct span){text.data + 1, text.length - 1};
    if (!take(&text, 2, ':', &hours) || !take(&text, 2, '\0', &minutes) || text.length > 0 || hours > 23 ||
        minutes > 59)
        return false;
    *seconds = (hours * 60 + minutes) * (sign == '-' ? -60 : 60);
    return true;
}

bool reading_time(struct span text, int64_t *epoch_us)
{
    struct tm parts = {0};
    int fraction, offset;

    if (!take(&text, 4, '-', &parts.tm_year) || !take(&text, 2, '-', &parts.tm_mon) ||
        !take(&text, 2, 'T', &parts.tm_mday) || !take(&text, 2, ':', &parts.tm_hour) ||
        !take(&text, 2, ':', &parts.tm_min) || !take(&text, 2, '\0', &parts.tm_sec) ||
        !take_fraction(&text, &fraction) || !take_offset(text, &offset))
        return false;
    if (parts.tm_year < 1970 || parts.tm_mon < 1 || parts.tm_mon > 12 || parts.tm_mday < 1 ||
        parts.tm_mday > 31 || parts.tm_hour > 23 || parts.tm_min > 59 || parts.tm_sec > 60)
        return false;
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    *epoch_us = ((int64_t)timegm(&parts) - offset) * 1000000 + fraction;
    return true;
}

int64_t reading_retry_after(struct span value, int64_t now_s)
{
    char text[32];
    struct tm parts = {0};
    int64_t seconds = 0;
    size_t digits = 0;

    if (value.length == 0 || value.length >= sizeof text)
        return -1;
    memcpy(text, value.data, value.length);
    text[value.length] = '\0';
    for (; ascii_is_digit(text[digits]); digits++)
        if (seconds <= LONGEST_S)
            seconds = seconds * 10 + (text[digits] - '0');
    if (digits != value.length) {
        const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
        if (end == NULL || *end != '\0')
            return -1;
        seconds = (int64_t)timegm(&parts) - now_s;
    }
    return seconds < 0 ? 0 : seconds > LONGEST_S ? LONGEST_S : seconds;
}
