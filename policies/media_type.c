#include "policies/media_type.h"

#include "policies/ascii.h"

#define VALUE_LONGEST 64 /* of a quoted parameter that is compared: more is no charset of ours */

/* What is left to read. */
struct reader {
    const char *at, *end;
};

static void skip_space(struct reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\t'))
        reader->at++;
}

static bool take(struct reader *reader, char c)
{
    if (reader->at == reader->end || *reader->at != c)
        return false;
    reader->at++;
    return true;
}

/* The token at the reader; empty where there is none. */
static struct span take_token(struct reader *reader)
{
    const char *start = reader->at;

    while (reader->at < reader->end && ascii_is_token(*reader->at))
        reader->at++;
    return (struct span){start, (size_t)(reader->at - start)};
}

/* A quoted-string (RFC 9110 §5.6.4) behind its first quote: what it means goes into `room`, which cuts it
 * off. */
static bool take_quoted(struct reader *reader, char room[VALUE_LONGEST], struct span *value)
{
    *value = (struct span){room, 0};
    while (reader->at < reader->end) {
        char c = *reader->at++;
        if (c == '"')
            return true;
        if (c == '\\' && reader->at < reader->end)
            c = *reader->at++;
        if (c != '\t' && ascii_is_control(c))
            return false;
        if (value->length < VALUE_LONGEST)
            room[value->length++] = c;
    }
    return false;
}

/* One parameter: `name=value` with a token or a quoted string. */
static bool take_parameter(struct reader *reader, bool *other_charset)
{
    char room[VALUE_LONGEST];
    struct span name = take_token(reader), value;

    if (name.length == 0 || !take(reader, '='))
        return false;
    if (!take(reader, '"'))
        value = take_token(reader);
    else if (!take_quoted(reader, room, &value))
        return false;
    if (value.length == 0)
        return false;
    if (span_equal_nocase(name, span_of("charset")) && !span_equal_nocase(value, span_of("utf-8")))
        *other_charset = true;
    return true;
}

/* *( OWS ";" OWS [ parameter ] ), to the end */
static bool take_parameters(struct reader *reader, bool *other_charset)
{
    for (;;) {
        skip_space(reader);
        if (reader->at == reader->end)
            return true;
        if (!take(reader, ';'))
            return false;
        skip_space(reader);
        if (reader->at < reader->end && *reader->at != ';' && !take_parameter(reader, other_charset))
            return false;
    }
}

enum media_type media_type_read(struct span value)
{
    struct reader reader = {value.data, value.data + value.length};
    bool other_charset = false;
    struct span type = take_token(&reader);
    bool slash = take(&reader, '/');
    struct span subtype = take_token(&reader);

    if (type.length == 0 || !slash || subtype.length == 0 || !take_parameters(&reader, &other_charset))
        return MEDIA_TYPE_MALFORMED;
    if (!span_equal_nocase(type, span_of("application")) ||
        (!span_equal_nocase(subtype, span_of("vnd.api+json")) &&
         !span_equal_nocase(subtype, span_of("json"))))
        return MEDIA_TYPE_OTHER;
    return other_charset ? MEDIA_TYPE_CHARSET : MEDIA_TYPE_JSON;
}
