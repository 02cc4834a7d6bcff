/* Where in a JSON text a pointer leads: for error messages. jansson keeps no places, and only what is wrong
 * needs one. */
#include "policies/document_internal.h"

struct scan {
    struct span text;
    size_t at;
};

static bool scan_is(const struct scan *scan, char c)
{
    return scan->at < scan->text.length && scan->text.data[scan->at] == c;
}

static void skip_space(struct scan *scan)
{
    while (scan_is(scan, ' ') || scan_is(scan, '\t') || scan_is(scan, '\n') || scan_is(scan, '\r'))
        scan->at++;
}

/* Goes behind the string that begins here; the span has its quotes. */
static struct span skip_string(struct scan *scan)
{
    size_t from = scan->at++;

    while (scan->at < scan->text.length && !scan_is(scan, '"'))
        scan->at += scan_is(scan, '\\') ? 2 : 1;
    scan->at = scan->at < scan->text.length ? scan->at + 1 : scan->text.length;
    return (struct span){scan->text.data + from, scan->at - from};
}

/* Goes behind the value that begins here. */
static void skip_value(struct scan *scan)
{
    size_t depth = 0;

    while (scan->at < scan->text.length) {
        if (scan_is(scan, '"')) {
            (void)skip_string(scan);
        } else if (scan_is(scan, '{') || scan_is(scan, '[')) {
            depth++;
            scan->at++;
        } else if (scan_is(scan, '}') || scan_is(scan, ']')) {
            if (depth == 0)
                return;
            depth--;
            scan->at++;
        } else if (scan_is(scan, ',') && depth == 0) {
            return;
        } else {
            scan->at++;
            continue; /* inside a number or a word, or between members */
        }
        if (depth == 0)
            return;
    }
}

/* Does the string literal, quotes and escapes included, mean the name? */
static bool literal_is(struct span literal, struct span name)
{
    if (literal.length < 2)
        return false;
    if (memchr(literal.data, '\\', literal.length) == NULL)
        return span_equal((struct span){literal.data + 1, literal.length - 2}, name);

    json_t *string = json_loadb(literal.data, literal.length, JSON_DECODE_ANY, NULL);
    bool same = string != NULL &&
                span_equal((struct span){json_string_value(string), json_string_length(string)}, name);
    json_decref(string);
    return same;
}

/* From the "{" to the value of the member; *name is where its name begins. */
static bool enter_member(struct scan *scan, struct span token, size_t *name)
{
    for (scan->at++, skip_space(scan); scan_is(scan, '"'); scan->at++, skip_space(scan)) {
        *name = scan->at;
        bool found = literal_is(skip_string(scan), token);
        skip_space(scan);
        if (!scan_is(scan, ':'))
            return false;
        scan->at++;
        skip_space(scan);
        if (found)
            return true;
        skip_value(scan);
        skip_space(scan);
        if (!scan_is(scan, ','))
            return false;
    }
    return false;
}

/* From the "[" to the element; *place is where it begins. */
static bool enter_element(struct scan *scan, size_t index, size_t *place)
{
    for (scan->at++, skip_space(scan); !scan_is(scan, ']'); scan->at++, skip_space(scan), index--) {
        *place = scan->at;
        if (index == 0)
            return scan->at < scan->text.length;
        skip_value(scan);
        skip_space(scan);
        if (!scan_is(scan, ','))
            return false;
    }
    return false;
}

/* Goes one token deeper; *place changes only when the token leads somewhere. */
static bool enter(struct scan *scan, struct span token, size_t *place)
{
    size_t index, found = 0;

    if (scan_is(scan, '{')
            ? !enter_member(scan, token, &found)
            : !scan_is(scan, '[') || !pointer_index(token, &index) || !enter_element(scan, index, &found))
        return false;
    *place = found;
    return true;
}

void text_place(struct span text, size_t offset, unsigned *line, unsigned *column)
{
    *line = *column = 1;
    for (size_t at = 0; at < offset && at < text.length; at++) {
        if (text.data[at] == '\n') {
            ++*line;
            *column = 1;
        } else if (((unsigned char)text.data[at] & 0xc0) != 0x80) { /* a character counts where it begins */
            ++*column;
        }
    }
}

void json_locate(struct span text, const char *pointer, unsigned *line, unsigned *column)
{
    struct scan scan = {text, 0};
    struct text token = {0};

    skip_space(&scan);
    size_t place = scan.at;
    while (pointer_next(&pointer, &token) && enter(&scan, (struct span){token.data, token.length}, &place))
        continue;
    text_free(&token);

    text_place(text, place, line, column);
}
