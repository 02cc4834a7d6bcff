#include "proxy/audit/scan.h"

#include "policies/ascii.h"
#include "policies/utf8.h"

#include <endian.h>

struct cursor {
    const char *at, *end;
    struct scan *scan;
    const char *begin;
    bool not_ascii;
};

/* Notes a fault, if it is the first one. Always false. */
static bool fault(struct cursor *cursor, const char *what)
{
    if (cursor->scan->fault == NULL) {
        cursor->scan->fault = what;
        cursor->scan->at = (size_t)(cursor->at - cursor->begin);
    }
    return false;
}

static bool take(struct cursor *cursor, char c)
{
    if (cursor->at == cursor->end || *cursor->at != c)
        return false;
    cursor->at++;
    return true;
}

#define EACH_BYTE(byte) (UINT64_MAX / 255 * (byte))

/* The highest bit of each byte that is zero. Bytes above a zero byte may be marked too: good enough to ask
 * for the lowest. */
static inline uint64_t zero_bytes(uint64_t word)
{
    return (word - EACH_BYTE(0x01)) & ~word & EACH_BYTE(0x80);
}

/* Passes over what stands for itself, eight bytes at a time; less than eight before the end are left. */
static inline void skip_plain(struct cursor *cursor)
{
    uint64_t word;

    for (; cursor->end - cursor->at >= (ptrdiff_t)sizeof word; cursor->at += sizeof word) {
        memcpy(&word, cursor->at, sizeof word);
        word = le64toh(word);
        uint64_t control = (word - EACH_BYTE(0x20)) & ~word & EACH_BYTE(0x80);
        uint64_t marked = control | (word & EACH_BYTE(0x80)) | zero_bytes(word ^ EACH_BYTE('"')) |
                          zero_bytes(word ^ EACH_BYTE('\\'));
        if (marked != 0) {
            cursor->at += __builtin_ctzll(marked) / 8;
            return;
        }
    }
}

/* Behind a backslash. Canonical are the short escapes, and \u00XX in lower case for what has none. */
static bool read_escape(struct cursor *cursor)
{
    static const char shorts[] = "\"\\bfnrt", with_short[] = "\b\f\n\r\t";

    if (cursor->at == cursor->end)
        return fault(cursor, "a string without an end");

    char kind = *cursor->at++;
    if (kind != '\0' && strchr(shorts, kind) != NULL)
        return true;
    if (kind != 'u' || cursor->end - cursor->at < 4)
        return fault(cursor, "an unknown escape in a string");

    unsigned code = 0;
    for (int i = 0; i < 4; i++, cursor->at++) {
        int digit = ascii_hex(*cursor->at);

        if (digit < 0)
            return fault(cursor, "an unknown escape in a string");
        if (*cursor->at >= 'A' && *cursor->at <= 'F')
            (void)fault(cursor, "an escape in capitals");
        code = code << 4 | (unsigned)digit;
    }
    if (code >= 0x20 || (code != 0 && strchr(with_short, (int)code) != NULL))
        (void)fault(cursor, "an escape that need not be");
    return true;
}

/* A string; *text is what stands between its quotes. */
static bool read_string(struct cursor *cursor, struct span *text, bool *escaped)
{
    if (!take(cursor, '"'))
        return fault(cursor, "no string where one must be");
    text->data = cursor->at;
    *escaped = false;
    for (;;) {
        skip_plain(cursor);
        if (cursor->at == cursor->end)
            return fault(cursor, "a string without an end");

        unsigned char c = (unsigned char)*cursor->at;
        if (c < 0x20)
            return fault(cursor, "a control character in a string");
        cursor->at++;
        if (c == '"')
            break;
        if (c == '\\') {
            *escaped = true;
            if (!read_escape(cursor))
                return false;
        }
        cursor->not_ascii = cursor->not_ascii || c >= 0x80;
    }
    text->length = (size_t)(cursor->at - 1 - text->data);
    return true;
}

static size_t digits(struct cursor *cursor)
{
    const char *from = cursor->at;

    while (cursor->at < cursor->end && ascii_is_digit(*cursor->at))
        cursor->at++;
    return (size_t)(cursor->at - from);
}

static bool read_number(struct cursor *cursor)
{
    (void)take(cursor, '-');
    bool zero = cursor->at < cursor->end && *cursor->at == '0';
    size_t whole = digits(cursor);
    if (whole == 0 || (zero && whole > 1))
        return fault(cursor, "no value where one must be");
    if (take(cursor, '.') && digits(cursor) == 0)
        return fault(cursor, "a number without an end");
    if (take(cursor, 'e') || take(cursor, 'E')) {
        if (!take(cursor, '+'))
            (void)take(cursor, '-');
        if (digits(cursor) == 0)
            return fault(cursor, "a number without an end");
    }
    return true;
}

static bool read_word(struct cursor *cursor, const char *expected)
{
    size_t length = strlen(expected);

    if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, expected, length) != 0)
        return fault(cursor, "no value where one must be");
    cursor->at += length;
    return true;
}

/* Does `name` come behind the one before it? By bytes. */
static bool in_order(struct span before, struct span name)
{
    size_t common = before.length < name.length ? before.length : name.length;
    int order = memcmp(before.data, name.data, common);

    return order < 0 || (order == 0 && before.length < name.length);
}

/* The byte at *at of a name that was read, its escape undone; -1 behind the end. */
static int next_byte(struct span name, size_t *at)
{
    static const char shorts[] = "bfnrt", bytes[] = "\b\f\n\r\t";

    if (*at == name.length)
        return -1;
    char c = name.data[(*at)++];
    if (c != '\\')
        return (unsigned char)c;
    c = name.data[(*at)++];
    if (c == 'u') {
        *at += 4; /* the first two are zeros, or that was a fault already */
        return ascii_hex(name.data[*at - 2]) * 16 + ascii_hex(name.data[*at - 1]);
    }
    const char *found = memchr(shorts, c, sizeof shorts - 1);
    return found ? bytes[found - shorts] : (unsigned char)c;
}

/* The same where escapes stand for other bytes. */
static bool in_order_undone(struct span before, struct span name)
{
    for (size_t i = 0, j = 0;;) {
        int one = next_byte(before, &i), other = next_byte(name, &j);
        if (one != other || one < 0)
            return one < other;
    }
}

static bool read_value(struct cursor *cursor, unsigned depth);

/* Of objects below the line's own, only the form counts. */
static bool read_members(struct cursor *cursor, unsigned depth, struct scan *scan)
{
    struct span before = {NULL, 0}, name;
    bool before_escaped = false, escaped;

    if (!take(cursor, '{'))
        return fault(cursor, "not a JSON object");
    if (take(cursor, '}'))
        return true;
    do {
        const char *start = cursor->at;

        if (!read_string(cursor, &name, &escaped))
            return false;
        if (!take(cursor, ':'))
            return fault(cursor, "no colon behind a name");

        const char *from = cursor->at;
        if (!read_value(cursor, depth))
            return false;
        if (before.data != NULL &&
            !(before_escaped || escaped ? in_order_undone(before, name) : in_order(before, name))) {
            const char *behind = cursor->at;

            cursor->at = start;
            (void)fault(cursor, "members not sorted by name, or one twice");
            cursor->at = behind;
        }
        before = name;
        before_escaped = escaped;
        if (scan == NULL)
            continue;
        if (scan->count == SCAN_MEMBERS)
            return fault(cursor, "more members than any record has");
        scan->members[scan->count++] = (struct scan_member){name, {from, (size_t)(cursor->at - from)}};
    } while (take(cursor, ','));
    return take(cursor, '}') || fault(cursor, "no comma or end behind a member");
}

static bool read_array(struct cursor *cursor, unsigned depth)
{
    cursor->at++;
    if (take(cursor, ']'))
        return true;
    do {
        if (!read_value(cursor, depth))
            return false;
    } while (take(cursor, ','));
    return take(cursor, ']') || fault(cursor, "no comma or end behind an element");
}

static bool read_value(struct cursor *cursor, unsigned depth)
{
    struct span text;
    bool escaped;

    switch (cursor->at < cursor->end ? *cursor->at : '\0') {
    case '"':
        return read_string(cursor, &text, &escaped);
    case '{':
        return depth < SCAN_DEPTH ? read_members(cursor, depth + 1, NULL) : fault(cursor, "nested too deep");
    case '[':
        return depth < SCAN_DEPTH ? read_array(cursor, depth + 1) : fault(cursor, "nested too deep");
    case 't':
        return read_word(cursor, "true");
    case 'f':
        return read_word(cursor, "false");
    case 'n':
        return read_word(cursor, "null");
    case ' ':
    case '\t':
        return fault(cursor, "white space between members");
    default:
        return read_number(cursor);
    }
}

bool scan_line(struct span line, struct scan *scan)
{
    struct cursor cursor = {
        .at = line.data, .end = line.data + line.length, .begin = line.data, .scan = scan};

    scan->count = 0;
    scan->fault = NULL;
    scan->at = 0;
    if (!read_members(&cursor, 0, scan))
        return false;
    if (cursor.at != cursor.end)
        return fault(&cursor, "something behind the object's end");
    if (cursor.not_ascii && !utf8_is_valid(line))
        (void)fault(&cursor, "bytes that are not UTF-8");
    return true;
}

struct span scan_find(const struct scan *scan, const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < scan->count; i++) {
        const struct scan_member *member = &scan->members[i];

        if (member->name.length == length && memcmp(member->name.data, name, length) == 0)
            return member->value;
    }
    return (struct span){NULL, 0};
}

struct span scan_text(struct span value)
{
    if (value.length < 2 || value.data[0] != '"')
        return (struct span){NULL, 0};
    return (struct span){value.data + 1, value.length - 2};
}

bool scan_number(struct span value, uint64_t *number)
{
    uint64_t sum = 0;

    if (value.length == 0 || value.length > 16 || (value.length > 1 && value.data[0] == '0'))
        return false;
    for (size_t i = 0; i < value.length; i++) {
        if (!ascii_is_digit(value.data[i]))
            return false;
        sum = sum * 10 + (uint64_t)(value.data[i] - '0');
    }
    *number = sum;
    return sum < (uint64_t)1 << 53;
}

bool scan_element(struct span array, size_t *at, struct span *element)
{
    struct scan scratch = {.count = 0};
    struct cursor cursor = {.end = array.data + array.length, .begin = array.data, .scan = &scratch};

    if (array.length < 2 || array.data[0] != '[' || (*at > 0 && array.data[*at] == ']'))
        return false;
    cursor.at = array.data + *at + 1; /* behind the bracket or comma */
    const char *from = cursor.at;
    if (*from == ']' || !read_value(&cursor, 0))
        return false;
    *element = (struct span){from, (size_t)(cursor.at - from)};
    *at = (size_t)(cursor.at - array.data);
    return true;
}
