/* Links in a JSON answer. The text is read once and checked on the way; only the links' origins are replaced,
 * everything between is copied. */
#include "policies/ascii.h"
#include "policies/links_internal.h"
#include "policies/utf8.h"

/* What a value is, by the names above it. */
#define ROLE_NONE  0u
#define ROLE_LINK  1u /* a string is a link; of an object, `href` and `describedby` are */
#define ROLE_LINKS 2u /* each member of an object is a link */

struct reader {
    struct span json;
    size_t at;
    size_t depth;
    const struct links_origin *from;
    struct text to;      /* the new origin as a JSON string, with its quotes */
    struct text decoded; /* of the string at hand */
    struct text *out;
    size_t copied; /* so much of the answer is in `out`, or replaced there */
    bool changed;
    const char *fault;
};

static bool read_value(struct reader *reader, unsigned role);

static bool fail(struct reader *reader, const char *fault)
{
    reader->fault = fault;
    return false;
}

/* The byte at hand; NUL, which JSON has nowhere, at the end. */
static char peek(const struct reader *reader)
{
    return reader->at < reader->json.length ? reader->json.data[reader->at] : '\0';
}

static void skip_space(struct reader *reader)
{
    while (peek(reader) == ' ' || peek(reader) == '\t' || peek(reader) == '\n' || peek(reader) == '\r')
        reader->at++;
}

static bool take(struct reader *reader, char c)
{
    if (peek(reader) != c)
        return false;
    reader->at++;
    return true;
}

/* Behind a backslash. */
static bool read_escape(struct reader *reader)
{
    char c = peek(reader);

    reader->at++;
    if (c != 'u')
        return c != '\0' && strchr("\"\\/bfnrt", c) != NULL;
    for (int i = 0; i < 4; i++) {
        if (ascii_hex(peek(reader)) < 0)
            return false;
        reader->at++;
    }
    return true;
}

/* Reads a string; *raw is what stands between the quotes. */
static bool read_string(struct reader *reader, struct span *raw)
{
    if (!take(reader, '"'))
        return fail(reader, "a string is missing");
    size_t start = reader->at;
    while (peek(reader) != '"') {
        if ((unsigned char)peek(reader) < 0x20)
            return fail(reader, "a string holds a control character or has no end");
        if (take(reader, '\\')) {
            if (!read_escape(reader))
                return fail(reader, "a string holds an unknown escape");
        } else {
            reader->at++;
        }
    }
    *raw = (struct span){reader->json.data + start, reader->at - start};
    reader->at++;
    return true;
}

/* The next character of a checked string and where the one behind it begins. Those that no link's origin
 * holds, all beyond ASCII, are DEL when escaped. */
static char next_character(struct span raw, size_t *at)
{
    static const char names[] = "bfnrt", meant[] = "\b\f\n\r\t";
    char c = raw.data[(*at)++];

    if (c != '\\')
        return c;
    c = raw.data[(*at)++];
    if (c != 'u') {
        const char *name = strchr(names, c);
        return name != NULL ? meant[name - names] : c;
    }
    unsigned code = 0;
    for (size_t i = 0; i < 4; i++)
        code = code * 16 + (unsigned)ascii_hex(raw.data[(*at)++]);
    return code < 0x7f ? (char)code : 0x7f;
}

static struct span decode(struct reader *reader, struct span raw)
{
    if (raw.length == 0 || memchr(raw.data, '\\', raw.length) == NULL)
        return raw;
    text_clear(&reader->decoded);
    for (size_t at = 0; at < raw.length;) {
        char c = next_character(raw, &at);
        text_add(&reader->decoded, &c, 1);
    }
    if (reader->decoded.failed)
        reader->out->failed = true;
    return (struct span){reader->decoded.data ? reader->decoded.data : "", reader->decoded.length};
}

/* Puts the new origin in place of the old one; what follows it stays as it is written. */
static void rewrite(struct reader *reader, struct span raw)
{
    size_t characters = link_origin(decode(reader, raw), reader->from), length = 0;
    size_t start = (size_t)(raw.data - reader->json.data);

    if (characters == 0)
        return;
    while (characters-- > 0)
        (void)next_character(raw, &length);
    text_add(reader->out, reader->json.data + reader->copied, start - reader->copied);
    text_add(reader->out, reader->to.data + 1, reader->to.length - 2);
    reader->copied = start + length;
    reader->changed = true;
}

static unsigned role_of_member(unsigned role, struct span name)
{
    unsigned member = span_is(name, "links") ? ROLE_LINKS : ROLE_NONE;

    if ((role & ROLE_LINKS) != 0)
        member |= ROLE_LINK;
    if ((role & ROLE_LINK) != 0 && (span_is(name, "href") || span_is(name, "describedby")))
        member |= ROLE_LINK;
    return member;
}

static bool read_member(struct reader *reader, unsigned role)
{
    struct span raw;

    skip_space(reader);
    if (!read_string(reader, &raw))
        return false;
    unsigned member = role_of_member(role, decode(reader, raw));
    skip_space(reader);
    if (!take(reader, ':'))
        return fail(reader, "a member has no colon");
    return read_value(reader, member);
}

/* Objects and arrays; the elements of an array are what the array is. */
static bool read_container(struct reader *reader, unsigned role, char close)
{
    bool object = close == '}';

    if (++reader->depth > LINKS_DEPTH)
        return fail(reader, "it is nested too deeply");
    reader->at++;
    skip_space(reader);
    if (!take(reader, close)) {
        do {
            if (object ? !read_member(reader, role) : !read_value(reader, role))
                return false;
        } while (take(reader, ','));
        if (!take(reader, close))
            return fail(reader, "an object or array has no end");
    }
    reader->depth--;
    return true;
}

static bool read_digits(struct reader *reader)
{
    if (!ascii_is_digit(peek(reader)))
        return false;
    while (ascii_is_digit(peek(reader)))
        reader->at++;
    return true;
}

static bool read_number(struct reader *reader)
{
    (void)take(reader, '-');
    bool right = take(reader, '0') || read_digits(reader);
    if (right && take(reader, '.'))
        right = read_digits(reader);
    if (right && (take(reader, 'e') || take(reader, 'E'))) {
        (void)(take(reader, '+') || take(reader, '-'));
        right = read_digits(reader);
    }
    return right || fail(reader, "a value is malformed");
}

static bool read_word(struct reader *reader)
{
    static const char *const words[] = {"true", "false", "null"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t length = strlen(words[i]);
        if (reader->json.length - reader->at >= length &&
            memcmp(reader->json.data + reader->at, words[i], length) == 0) {
            reader->at += length;
            return true;
        }
    }
    return fail(reader, "a value is malformed");
}

static bool read_link_or_string(struct reader *reader, unsigned role)
{
    struct span raw;

    if (!read_string(reader, &raw))
        return false;
    if ((role & ROLE_LINK) != 0)
        rewrite(reader, raw);
    return true;
}

/* A value and the space around it. */
static bool read_value(struct reader *reader, unsigned role)
{
    bool right = false;

    skip_space(reader);
    switch (peek(reader)) {
    case '{':
        right = read_container(reader, role, '}');
        break;
    case '[':
        right = read_container(reader, role, ']');
        break;
    case '"':
        right = read_link_or_string(reader, role);
        break;
    case 't':
    case 'f':
    case 'n':
        right = read_word(reader);
        break;
    default:
        right = read_number(reader);
        break;
    }
    skip_space(reader);
    return right;
}

/* The same for a host with a byte that JSON has seldom: at each place where the text has it, the host is
 * compared. `index` says where the host has the byte. */
static bool holds_host_round(struct span text, struct span host, size_t index)
{
    const char *end = text.data + text.length;

    if (text.length < host.length)
        return false;
    for (const char *from = text.data + index, *at;
         from < end && (at = memchr(from, host.data[index], (size_t)(end - from))) != NULL; from = at + 1)
        if ((size_t)(end - at) >= host.length - index &&
            span_equal_nocase((struct span){at - index, host.length}, host))
            return true;
    return false;
}

/* Does the text hold the host, in any case? (Horspool, where the host has no dot) */
static bool holds_host(struct span text, struct span host)
{
    const char *dot = memchr(host.data, '.', host.length);
    if (dot != NULL)
        return holds_host_round(text, host, (size_t)(dot - host.data));

    size_t skip[256];

    for (size_t i = 0; i < sizeof skip / sizeof *skip; i++)
        skip[i] = host.length;
    for (size_t i = 0; i + 1 < host.length; i++) {
        char lower = ascii_lower(host.data[i]);
        skip[(unsigned char)lower] = host.length - 1 - i;
        skip[(unsigned char)(ascii_is_letter(lower) ? lower - 'a' + 'A' : lower)] = host.length - 1 - i;
    }
    for (size_t at = 0; at + host.length <= text.length;) {
        if (span_equal_nocase((struct span){text.data + at, host.length}, host))
            return true;
        at += skip[(unsigned char)text.data[at + host.length - 1]];
    }
    return false;
}

/* Is there a \u escape? Only these can write a host so that it is not seen in the bytes. */
static bool holds_escape(struct span json)
{
    const char *end = json.data + json.length;

    for (const char *at = json.data; (at = memchr(at, '\\', (size_t)(end - at))) != NULL; at++)
        if (end - at >= 2 && at[1] == 'u')
            return true;
    return false;
}

static bool may_hold_link(struct span json, struct span host)
{
    return host.length > 0 && json.length > 0 && (holds_host(json, host) || holds_escape(json));
}

static bool read_answer(struct reader *reader)
{
    if (!utf8_is_valid(reader->json))
        return fail(reader, "it is not UTF-8");
    if (!read_value(reader, ROLE_NONE))
        return false;
    if (reader->at < reader->json.length)
        return fail(reader, "something stands behind the value");
    if (reader->changed)
        text_add(reader->out, reader->json.data + reader->copied, reader->json.length - reader->copied);
    return !reader->out->failed || fail(reader, "memory is out");
}

bool links_rewrite(struct span json, const struct links_origin *from, const char *to, struct text *out,
                   bool *changed, const char **fault)
{
    struct reader reader = {.json = json, .from = from, .out = out};
    size_t before = out->length;

    *changed = false;
    if (!may_hold_link(json, from->host))
        return true;
    text_add_json(&reader.to, span_of(to));
    bool right = !reader.to.failed ? read_answer(&reader) : fail(&reader, "memory is out");
    if (!right && out->length > before) {
        out->length = before;
        out->data[before] = '\0';
    }
    *changed = right && reader.changed;
    *fault = reader.fault;
    text_free(&reader.to);
    text_free(&reader.decoded);
    return right;
}
