/* What comes from the journal, made fit for a terminal and for a person. */
#include "proxy/console/audit.h"

#include "policies/ascii.h"
#include "policies/utf8.h"

#include <unistd.h>

#define INDENT "  "

/* The code point of a well-formed sequence of two or three bytes; 0 for others. */
static unsigned code_point(struct span bytes, size_t at, size_t length)
{
    const unsigned char *byte = (const unsigned char *)bytes.data + at;

    if (length == 2)
        return (byte[0] & 0x1fu) << 6 | (byte[1] & 0x3fu);
    if (length == 3)
        return (byte[0] & 0x0fu) << 12 | (byte[1] & 0x3fu) << 6 | (byte[2] & 0x3fu);
    return 0;
}

/* Does a terminal act on it, or does it change how what is beside it reads? C1 controls, marks of direction,
 * line and paragraph separators, what has no width. */
static bool is_active(unsigned code)
{
    return (code >= 0x80 && code < 0xa0) || code == 0xad || code == 0x61c ||
           (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2060 && code <= 0x2069) || code == 0xfeff;
}

void audit_add_shown(struct text *out, struct span bytes)
{
    size_t plain = 0; /* start of the run that needs no change */

    if (bytes.length == 0)
        return;
    for (size_t at = 0; at < bytes.length;) {
        size_t length = utf8_sequence(bytes, at);
        unsigned code = code_point(bytes, at, length);
        bool control = length == 1 && ascii_is_control(bytes.data[at]);

        if (length > 0 && !control && !is_active(code)) {
            at += length;
            continue;
        }
        text_add(out, bytes.data + plain, at - plain);
        if (length == 0)
            text_add_format(out, "\\x%02x", (unsigned char)bytes.data[at]);
        else
            text_add_format(out, "\\u%04x", control ? (unsigned char)bytes.data[at] : code);
        at += length > 0 ? length : 1;
        plain = at;
    }
    text_add(out, bytes.data + plain, bytes.length - plain);
}

void audit_add_value(struct text *out, struct span value)
{
    struct span text = scan_text(value);

    audit_add_shown(out, text.data != NULL ? text : value);
}

/* Outside of strings: is this behind the value's last byte? */
static bool ends_value(char c, size_t *depth)
{
    if (c == '{' || c == '[')
        ++*depth;
    else if ((c == '}' || c == ']') && *depth > 0)
        --*depth;
    else
        return *depth == 0 && (c == ',' || c == ':' || c == '}' || c == ']');
    return false;
}

/* Where the value that begins at `from` ends. The text is JSON without white space. */
static size_t value_end(struct span json, size_t from)
{
    size_t depth = 0, at = from;
    bool quoted = false;

    for (; at < json.length; at++) {
        char c = json.data[at];

        if (quoted && c == '\\')
            at++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && ends_value(c, &depth))
            break;
    }
    return at < json.length ? at : json.length;
}

static bool is_nested(struct span value)
{
    return value.length > 2 && (value.data[0] == '{' || value.data[0] == '[');
}

/* An object or array, an element a line. */
static void add_nested(struct text *out, struct span json, unsigned depth)
{
    for (size_t at = 1; at + 1 < json.length;) {
        size_t end = value_end(json, at);

        for (unsigned i = 0; i < depth; i++)
            text_add_string(out, INDENT);
        if (json.data[0] == '{') {
            audit_add_value(out, (struct span){json.data + at, end - at});
            at = end + 1;
            end = value_end(json, at);
            text_add_string(out, ":");
        } else {
            text_add_string(out, "-");
        }
        struct span value = {json.data + at, end - at};
        bool nested = is_nested(value) && depth < SCAN_DEPTH;
        if (!nested) {
            text_add_string(out, " ");
            audit_add_shown(out, value);
        }
        text_add_string(out, "\n");
        if (nested)
            add_nested(out, value, depth + 1);
        at = end + 1;
    }
}

static bool is_among(struct span name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (span_is(name, *names))
            return true;
    return false;
}

static bool has_same(const struct scan *scan, const struct scan_member *member)
{
    for (size_t i = 0; i < scan->count; i++)
        if (span_equal(scan->members[i].name, member->name))
            return span_equal(scan->members[i].value, member->value);
    return false;
}

static void add_member(struct text *out, const struct scan_member *member)
{
    static const char spaces[] = "                    ";
    size_t width = sizeof spaces - 1;

    text_add_string(out, INDENT);
    audit_add_shown(out, member->name);
    if (is_nested(member->value)) {
        text_add_string(out, "\n");
        add_nested(out, member->value, 2);
        return;
    }
    text_add(out, spaces, member->name.length < width ? width - member->name.length : 0);
    text_add_string(out, " ");
    audit_add_value(out, member->value);
    text_add_string(out, "\n");
}

void audit_add_record(struct text *out, const struct scan *scan, const char *const *without,
                      const struct scan *known)
{
    for (size_t i = 0; i < scan->count; i++)
        if (!is_among(scan->members[i].name, without) &&
            (known == NULL || !has_same(known, &scan->members[i])))
            add_member(out, &scan->members[i]);
}

void audit_add_line(struct text *out, struct span line)
{
    if (isatty(STDOUT_FILENO) == 1)
        audit_add_shown(out, line);
    else
        text_add(out, line.data, line.length);
    text_add(out, "\n", 1);
}

bool audit_print(struct text *text)
{
    bool printed = !text->failed &&
                   fwrite(text->data != NULL ? text->data : "", 1, text->length, stdout) == text->length;

    if (text->failed)
        output_fault("memory is out");
    text_clear(text);
    return printed;
}
