/* Reading a request target: taking it apart, decoding once, refusing whatever two readers could read
 * differently. */
#include "policies/ascii.h"
#include "policies/authority.h"
#include "policies/target.h"
#include "policies/utf8.h"

enum fault {
    FAULT_NONE,
    FAULT_EMPTY,
    FAULT_ASTERISK_FORM,
    FAULT_AUTHORITY_FORM,
    FAULT_UNKNOWN_FORM,
    FAULT_SCHEME,
    FAULT_AUTHORITY,
    FAULT_USERINFO,
    FAULT_HOST_MISMATCH,
    FAULT_FRAGMENT,
    FAULT_CHARACTER,
    FAULT_CONTROL,
    FAULT_BROKEN_ENCODING,
    FAULT_DOUBLE_ENCODING,
    FAULT_NOT_UTF8,
    FAULT_ENCODED_SLASH,
    FAULT_BACKSLASH,
    FAULT_PATH_PARAMETER,
    FAULT_DOT_SEGMENT,
    FAULT_EMPTY_SEGMENT,
    FAULT_TRAILING_SLASH,
    FAULT_SEGMENTS,
    FAULT_EMPTY_QUERY,
    FAULT_EMPTY_PARAMETER,
    FAULT_NO_VALUE,
    FAULT_EMPTY_NAME,
    FAULT_EMPTY_VALUE,
    FAULT_REPEATED,
    FAULT_PARAMETERS,
    FAULT_MEMORY,
};

static const struct {
    const char *code, *detail;
} faults[] = {
    [FAULT_NONE] = {"", ""},
    [FAULT_EMPTY] = {"empty-target", "The request target is empty; send a path that begins with \"/\"."},
    [FAULT_ASTERISK_FORM] = {"asterisk-form",
                             "The target \"*\" is not served; send a path that begins with \"/\"."},
    [FAULT_AUTHORITY_FORM] = {"authority-form",
                              "A host and port is not a target here; send a path that begins with \"/\"."},
    [FAULT_UNKNOWN_FORM] =
        {"unknown-form", "The target has no form that RFC 9112 knows; send a path that begins with \"/\"."},
    [FAULT_SCHEME] =
        {"foreign-scheme",
         "An absolute target must begin with \"http://\" or \"https://\"; better send the path alone."},
    [FAULT_AUTHORITY] = {"malformed-authority",
                         "The absolute target has no valid host and port; send the path alone."},
    [FAULT_USERINFO] = {"userinfo", "The absolute target holds user information; send the path alone."},
    [FAULT_HOST_MISMATCH] =
        {"host-mismatch", "The absolute target names another host than the Host field; send the path alone."},
    [FAULT_FRAGMENT] =
        {"fragment", "A target has no fragment; leave out \"#\" and what follows it, or encode it as %23."},
    [FAULT_CHARACTER] = {"forbidden-character",
                         "A character stands here that RFC 3986 does not allow; percent-encode it."},
    [FAULT_CONTROL] = {"control-character",
                       "Control characters are not accepted, encoded or not; leave them out."},
    [FAULT_BROKEN_ENCODING] = {"broken-encoding",
                               "\"%\" must be followed by two hex digits; encode a percent sign as %25."},
    [FAULT_DOUBLE_ENCODING] = {"double-encoding", "The text is percent-encoded twice; encode it once."},
    [FAULT_NOT_UTF8] = {"not-utf8", "The percent-encoded bytes are not valid UTF-8; send UTF-8."},
    [FAULT_ENCODED_SLASH] = {"encoded-slash",
                             "A path segment must not hold an encoded slash; leave %2F out of the path."},
    [FAULT_BACKSLASH] = {"backslash",
                         "A path must not hold a backslash, encoded or not; separate segments with \"/\"."},
    [FAULT_PATH_PARAMETER] = {"path-parameter",
                              "A path must not hold \";\", encoded or not; leave path parameters out."},
    [FAULT_DOT_SEGMENT] =
        {"dot-segment",
         "A path must not hold \".\" or \"..\" segments, encoded or not; send the path that is meant."},
    [FAULT_EMPTY_SEGMENT] = {"empty-segment",
                             "A path must not hold empty segments; send one \"/\" between segments."},
    [FAULT_TRAILING_SLASH] = {"trailing-slash", "The path ends in a slash; leave it out."},
    [FAULT_SEGMENTS] = {"too-many-segments", "The path has more segments than any operation."},
    [FAULT_EMPTY_QUERY] = {"empty-query", "The target ends in \"?\" without a query; leave it out."},
    [FAULT_EMPTY_PARAMETER] = {"empty-parameter",
                               "The query holds an empty parameter; write one \"&\" between parameters."},
    [FAULT_NO_VALUE] = {"missing-value", "A query parameter has no \"=\"; send name=value."},
    [FAULT_EMPTY_NAME] = {"empty-name", "A query parameter has no name; send name=value."},
    [FAULT_EMPTY_VALUE] = {"empty-value",
                           "A query parameter has no value; give one, or leave the parameter out."},
    [FAULT_REPEATED] = {"repeated-parameter", "A query parameter is given more than once; send it once."},
    [FAULT_PARAMETERS] = {"too-many-parameters", "The query has more parameters than any operation."},
    [FAULT_MEMORY] = {"out-of-memory", "The gate is short of memory; try again later."},
};

/* The class of what may stand there as it is. */
enum place { IN_PATH = ASCII_SEGMENT, IN_QUERY = ASCII_QUERY };

/* May the byte stand here as it is? */
static enum fault check_raw(char c, enum place place)
{
    if (ascii_is_control(c))
        return FAULT_CONTROL;
    if (c == '\\')
        return FAULT_BACKSLASH;
    if (c == ';' && place == IN_PATH)
        return FAULT_PATH_PARAMETER;
    return ascii_is(c, place) ? FAULT_NONE : FAULT_CHARACTER;
}

/* May the byte stand here percent-encoded? */
static enum fault check_encoded(char c, enum place place)
{
    if (ascii_is_control(c))
        return FAULT_CONTROL;
    if (place == IN_QUERY)
        return FAULT_NONE;
    return c == '/'    ? FAULT_ENCODED_SLASH
           : c == '\\' ? FAULT_BACKSLASH
           : c == ';'  ? FAULT_PATH_PARAMETER
                       : FAULT_NONE;
}

/* The byte that the three at `at` encode; -1 when they encode none. */
static int decode_byte(struct span raw, size_t at)
{
    if (raw.length - at < 3)
        return -1;
    int high = ascii_hex(raw.data[at + 1]), low = ascii_hex(raw.data[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* Checks a piece byte by byte and counts its escapes. */
static enum fault check_piece(struct span raw, enum place place, size_t *escapes)
{
    enum fault fault = FAULT_NONE;

    *escapes = 0;
    for (size_t at = 0; at < raw.length && fault == FAULT_NONE; at++) {
        if (raw.data[at] != '%') {
            fault = check_raw(raw.data[at], place);
            continue;
        }
        int byte = decode_byte(raw, at);
        fault = byte < 0 ? FAULT_BROKEN_ENCODING : check_encoded((char)byte, place);
        at += 2;
        ++*escapes;
    }
    return fault;
}

/* Does what was decoded once still hold an escape? */
static bool holds_escape(struct span text)
{
    for (size_t at = 0; at < text.length; at++)
        if (text.data[at] == '%' && decode_byte(text, at) >= 0)
            return true;
    return false;
}

/* The target as it is read: pieces between separators, of which nearly all are of unreserved characters
 * alone. These are taken as they stand, without a look at each byte. */
struct scanner {
    struct span text;
    size_t at;
    size_t window;   /* where it begins */
    uint64_t others; /* ascii_others() of the window, without what stands before `at` */
};

static void look(struct scanner *scanner, size_t from)
{
    scanner->window = from;
    scanner->others = ascii_others(scanner->text, from);
}

/* Takes what stands before the next of two separators, none of them unreserved, or before the end. Each byte
 * that is not unreserved is met once. */
static inline struct span take_piece(struct scanner *scanner, char one, char other, bool *plain)
{
    const struct span text = scanner->text;
    size_t from = scanner->at;

    for (*plain = true;; *plain = false) {
        while (scanner->others == 0)
            look(scanner, scanner->window + 64);
        size_t to = scanner->window + (size_t)__builtin_ctzll(scanner->others);
        if (to < text.length)
            scanner->others &= scanner->others - 1;
        if (to >= text.length || text.data[to] == one || text.data[to] == other) {
            scanner->at = to;
            return (struct span){text.data + from, to - from};
        }
    }
}

static bool is_at(const struct scanner *scanner, char c)
{
    return scanner->at < scanner->text.length && scanner->text.data[scanner->at] == c;
}

static bool skip(struct scanner *scanner, char c)
{
    bool there = is_at(scanner, c);

    scanner->at += there ? 1 : 0;
    return there;
}

/* Decodes a piece once that is not of unreserved characters alone; the result is in the arena, or is `raw`
 * itself where nothing is encoded. Such a piece is no longer sure to be in its canonical spelling. */
static enum fault decode(struct span raw, enum place place, struct arena *arena, struct target *target,
                         struct span *out)
{
    size_t escapes = 0, length = 0;

    *out = raw;
    target->received.data = NULL;
    enum fault fault = check_piece(raw, place, &escapes);
    if (fault != FAULT_NONE || escapes == 0)
        return fault;

    char *decoded = arena_take(arena, raw.length - 2 * escapes);
    if (decoded == NULL)
        return FAULT_MEMORY;
    for (size_t at = 0; at < raw.length; at++) {
        bool encoded = raw.data[at] == '%';
        decoded[length++] = encoded ? (char)decode_byte(raw, at) : raw.data[at];
        at += encoded ? 2 : 0;
    }
    *out = (struct span){decoded, length};
    if (!utf8_is_valid(*out))
        return FAULT_NOT_UTF8;
    return holds_escape(*out) ? FAULT_DOUBLE_ENCODING : FAULT_NONE;
}

/* UUIDs are compared as text later, so there is one case for them. */
static enum fault keep_uuid(struct span segment, struct arena *arena, struct target *target)
{
    if (!uuid_is_lower(segment)) {
        char *lower = arena_take(arena, UUID_TEXT_SIZE);
        if (lower == NULL)
            return FAULT_MEMORY;
        uuid_spell(target->ids[target->segment_count], lower);
        segment.data = lower;
        target->received.data = NULL;
    }
    target->uuids |= UINT32_C(1) << target->segment_count;
    target->segments[target->segment_count++] = segment;
    return FAULT_NONE;
}

static enum fault read_segment(struct span segment, bool plain, struct arena *arena, struct target *target)
{
    enum fault fault = plain ? FAULT_NONE : decode(segment, IN_PATH, arena, target, &segment);

    if (fault != FAULT_NONE)
        return fault;
    if (span_equal(segment, SPAN(".")) || span_equal(segment, SPAN("..")))
        return FAULT_DOT_SEGMENT;
    if (target->segment_count == TARGET_SEGMENTS)
        return FAULT_SEGMENTS;
    if (segment.length == UUID_TEXT_SIZE - 1 && uuid_parse(segment, target->ids[target->segment_count]))
        return keep_uuid(segment, arena, target);
    target->segments[target->segment_count++] = segment;
    return FAULT_NONE;
}

/* Reads up to the query or the end. A target in absolute-form may have no path. */
static enum fault read_path(struct scanner *scanner, struct arena *arena, struct target *target)
{
    bool plain, more = take_piece(scanner, '/', '?', &plain).length == 0 && skip(scanner, '/') &&
                       scanner->at < scanner->text.length && !is_at(scanner, '?');

    while (more) {
        struct span segment = take_piece(scanner, '/', '?', &plain);
        more = skip(scanner, '/');
        if (segment.length == 0)
            return more || target->segment_count == 0 ? FAULT_EMPTY_SEGMENT : FAULT_TRAILING_SLASH;
        enum fault fault = read_segment(segment, plain, arena, target);
        if (fault != FAULT_NONE)
            return fault;
    }
    return FAULT_NONE;
}

/* Reads "=value" behind a name. */
static enum fault read_value(struct scanner *scanner, struct span name, struct arena *arena,
                             struct target *target)
{
    bool plain;

    if (!skip(scanner, '='))
        return FAULT_NO_VALUE;
    struct span value = take_piece(scanner, '&', '&', &plain);
    if (value.length == 0)
        return FAULT_EMPTY_VALUE;
    if (target_parameter(target, name).data != NULL)
        return FAULT_REPEATED;
    if (target->parameter_count == TARGET_PARAMETERS)
        return FAULT_PARAMETERS;
    enum fault fault = plain ? FAULT_NONE : decode(value, IN_QUERY, arena, target, &value);
    if (fault == FAULT_NONE)
        target->parameters[target->parameter_count++] = (struct target_parameter){name, value};
    return fault;
}

/* Reads "name=value"; *name is filled as soon as it is known. */
static enum fault read_parameter(struct scanner *scanner, struct arena *arena, struct target *target,
                                 struct span *name)
{
    bool plain;
    struct span raw = take_piece(scanner, '=', '&', &plain), decoded = raw;

    if (raw.length == 0)
        return is_at(scanner, '=') ? FAULT_EMPTY_NAME : FAULT_EMPTY_PARAMETER;
    enum fault fault = plain ? FAULT_NONE : decode(raw, IN_QUERY, arena, target, &decoded);
    if (fault != FAULT_NONE)
        return fault;
    *name = decoded;
    return read_value(scanner, decoded, arena, target);
}

static enum fault read_query(struct scanner *scanner, struct arena *arena, struct target *target,
                             struct span *name)
{
    if (scanner->at == scanner->text.length)
        return FAULT_EMPTY_QUERY;
    do {
        *name = (struct span){NULL, 0};
        enum fault fault = read_parameter(scanner, arena, target, name);
        if (fault != FAULT_NONE)
            return fault;
    } while (skip(scanner, '&'));
    *name = (struct span){NULL, 0};
    return FAULT_NONE;
}

/* The authority of an absolute target must be what the Host field says. */
static enum fault check_authority(struct span text, struct span host, unsigned default_port)
{
    struct authority named, expected;

    if (text.length > 0 && memchr(text.data, '@', text.length) != NULL)
        return FAULT_USERINFO;
    if (!authority_read(text, &named))
        return FAULT_AUTHORITY;
    if (!authority_read(host, &expected) || !authority_equal(&named, &expected, default_port))
        return FAULT_HOST_MISMATCH;
    return FAULT_NONE;
}

/* What a target is that begins neither with "/" nor with a scheme that is served. */
static enum fault name_form(struct span raw)
{
    struct authority authority;
    const char *colon = memchr(raw.data, ':', raw.length);

    if (span_is(raw, "*"))
        return FAULT_ASTERISK_FORM;
    if (colon != NULL && raw.data + raw.length - colon >= 3 && colon[1] == '/' && colon[2] == '/')
        return FAULT_SCHEME;
    return authority_read(raw, &authority) && authority.port > 0 ? FAULT_AUTHORITY_FORM : FAULT_UNKNOWN_FORM;
}

/* Cuts scheme and authority off an absolute target. */
static enum fault cut_origin(struct span *raw, struct span host)
{
    static const struct {
        const char *prefix;
        unsigned port;
    } schemes[] = {{"http://", 80}, {"https://", 443}};

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        struct span prefix = span_of(schemes[i].prefix);
        if (raw->length < prefix.length ||
            !span_equal_nocase((struct span){raw->data, prefix.length}, prefix))
            continue;

        struct span authority = {raw->data + prefix.length, 0};
        size_t room = raw->length - prefix.length;
        while (authority.length < room && authority.data[authority.length] != '/' &&
               authority.data[authority.length] != '?')
            authority.length++;
        *raw = (struct span){authority.data + authority.length, room - authority.length};
        return check_authority(authority, host, schemes[i].port);
    }
    return name_form(*raw);
}

static enum fault read_target(struct span raw, struct span host, struct arena *arena, struct target *target,
                              struct span *parameter)
{
    if (raw.length == 0)
        return FAULT_EMPTY;
    enum fault fault = target_is_path(raw) ? FAULT_NONE : cut_origin(&raw, host);
    if (fault != FAULT_NONE)
        return fault;

    if (target_is_path(raw)) /* what has no path gets one */
        target->received = raw;
    struct scanner scanner = {.text = raw};
    look(&scanner, 0);
    fault = read_path(&scanner, arena, target);
    return fault == FAULT_NONE && skip(&scanner, '?') ? read_query(&scanner, arena, target, parameter)
                                                      : fault;
}

bool target_parse(struct span raw, struct span host, struct arena *arena, struct target *target,
                  struct target_fault *fault)
{
    struct span parameter = {NULL, 0};

    target_clear(target);
    enum fault found = read_target(raw, host, arena, target, &parameter);
    /* A fragment is told before all else. Where the spelling is canonical there is none. */
    if (target->received.data == NULL && raw.length > 0 && memchr(raw.data, '#', raw.length) != NULL) {
        found = FAULT_FRAGMENT;
        parameter = (struct span){NULL, 0};
    }
    if (found == FAULT_NONE)
        return true;
    *fault = (struct target_fault){faults[found].code, faults[found].detail, parameter};
    return false;
}
