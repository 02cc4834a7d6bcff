#include "proxy/http/reply.h"

#include "policies/ascii.h"

#include <stdio.h>
#include <time.h>

const char *reply_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } table[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {203, "Non-Authoritative Information"},
        {204, "No Content"},
        {205, "Reset Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].status == status)
            return table[i].reason;
    return "";
}

void reply_begin(struct text *head, int status)
{
    text_add_string(head, "HTTP/1.1 ");
    text_add_number(head, (uint64_t)status);
    text_add(head, " ", 1);
    text_add_string(head, reply_reason(status));
    text_add(head, "\r\n", 2);
}

void reply_field(struct text *head, struct span name, struct span value)
{
    if (ascii_value_run(value) < value.length || !text_reserve(head, name.length + value.length + 4))
        return;
    char *at = mempcpy(head->data + head->length, name.data, name.length);
    at = mempcpy(at, ": ", 2);
    if (value.length > 0)
        at = mempcpy(at, value.data, value.length);
    memcpy(at, "\r\n", 3); /* and its NUL */
    head->length += name.length + value.length + 4;
}

void reply_date(int64_t epoch_s, char text[static REPLY_DATE])
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)epoch_s;
    struct tm utc = {0};

    (void)gmtime_r(&seconds, &utc);
    (void)snprintf(text, REPLY_DATE, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[(unsigned)utc.tm_wday % 7],
                   (unsigned)utc.tm_mday % 100, months[(unsigned)utc.tm_mon % 12],
                   (unsigned)(utc.tm_year + 1900) % 10000, (unsigned)utc.tm_hour % 100,
                   (unsigned)utc.tm_min % 100, (unsigned)utc.tm_sec % 100);
}

bool reply_is_json(struct span content_type)
{
    const struct span plain = span_of("application/json"), suffix = span_of("+json");
    const char *end = content_type.length > 0 ? memchr(content_type.data, ';', content_type.length) : NULL;
    struct span type = {content_type.data, end ? (size_t)(end - content_type.data) : content_type.length};

    while (type.length > 0 && (type.data[type.length - 1] == ' ' || type.data[type.length - 1] == '\t'))
        type.length--;
    if (span_equal_nocase(type, plain))
        return true;
    return type.length > suffix.length &&
           span_equal_nocase((struct span){type.data + type.length - suffix.length, suffix.length}, suffix);
}
