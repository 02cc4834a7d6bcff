/* The fields that decide the framing, or that a trailer must not hold. No other field is looked at here. */
#include "policies/ascii.h"
#include "policies/fields.h"
#include "proxy/wire/wire_internal.h"

enum wire_kind { KIND_OTHER, KIND_LENGTH, KIND_CODING, KIND_HOST, KIND_CONNECTION, KIND_EXPECT };

static const struct {
    struct span name;
    enum wire_kind kind;
} kinds[] = {
    {SPAN_INIT("content-length"), KIND_LENGTH},
    {SPAN_INIT("transfer-encoding"), KIND_CODING},
    {SPAN_INIT("host"), KIND_HOST},
    {SPAN_INIT("connection"), KIND_CONNECTION},
    {SPAN_INIT("expect"), KIND_EXPECT},
};

/* What is kept of the name; no field that matters here has a name that does not fit. */
static struct span name_of(const struct wire *wire)
{
    return (struct span){wire->name, wire->name_used < WIRE_NAME_KEPT ? wire->name_used : WIRE_NAME_KEPT};
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static void trim(struct span *text)
{
    while (text->length > 0 && is_space(text->data[0])) {
        text->data++;
        text->length--;
    }
    while (text->length > 0 && is_space(text->data[text->length - 1]))
        text->length--;
}

/* The value without the space around it. false when it was longer than what is kept: no value that is
 * accepted is. */
static bool value_of(const struct wire *wire, struct span *value)
{
    *value = (struct span){wire->value, wire->value_used};
    if (wire->value_used > WIRE_VALUE_KEPT)
        return false;
    trim(value);
    return true;
}

/* Trailer fields are dropped; those that somebody could still act on are refused (RFC 9110 §6.5.1). */
static bool is_forbidden_trailer(struct span name)
{
    struct span content = span_of("content-");
    bool about_content =
        name.length >= content.length && span_equal((struct span){name.data, content.length}, content);

    return about_content || field_use(name) != FIELD_FORWARD || field_is_single(name);
}

enum wire_fault wire_field_begin(struct wire *wire)
{
    struct span name = name_of(wire);

    wire->kind = KIND_OTHER;
    if (wire->in_trailer)
        return is_forbidden_trailer(name) ? WIRE_FAULT_TRAILER : WIRE_FAULT_NONE;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (span_equal(name, kinds[i].name))
            wire->kind = kinds[i].kind;
    return WIRE_FAULT_NONE;
}

/* One member of a Connection list. */
static enum wire_fault read_connection(struct wire *wire)
{
    struct span member;

    if (!value_of(wire, &member))
        return WIRE_FAULT_CONNECTION;
    wire->value_used = 0;
    for (size_t i = 0; i < member.length; i++)
        if (!ascii_is_token(member.data[i]))
            return WIRE_FAULT_CONNECTION;
    wire->close |= span_equal_nocase(member, span_of("close"));
    wire->keep_alive |= span_equal_nocase(member, span_of("keep-alive"));
    return WIRE_FAULT_NONE;
}

size_t wire_value_run(struct wire *wire, struct span bytes)
{
    if (wire->kind == KIND_CONNECTION)
        return 0; /* each comma means something */
    size_t run = ascii_value_run(bytes), room = WIRE_VALUE_KEPT - wire->value_used;

    if (wire->kind == KIND_OTHER || run == 0)
        return run;
    if (wire->value_used < WIRE_VALUE_KEPT)
        memcpy(wire->value + wire->value_used, bytes.data, run < room ? run : room);
    wire->value_used += run;
    return run;
}

enum wire_fault wire_field_byte(struct wire *wire, char c)
{
    if (wire->kind == KIND_OTHER)
        return WIRE_FAULT_NONE;
    if (wire->kind == KIND_CONNECTION && c == ',')
        return read_connection(wire);
    wire_keep(wire->value, WIRE_VALUE_KEPT, &wire->value_used, c);
    return WIRE_FAULT_NONE;
}

static enum wire_fault read_length(struct wire *wire)
{
    struct span value;

    if (wire->has_length)
        return WIRE_FAULT_TWO_LENGTHS;
    wire->has_length = true;
    if (!value_of(wire, &value) || value.length == 0 || (value.length > 1 && value.data[0] == '0'))
        return WIRE_FAULT_LENGTH;
    for (size_t i = 0; i < value.length; i++) {
        uint64_t digit = (uint64_t)(unsigned char)value.data[i] - '0';
        if (!ascii_is_digit(value.data[i]) || wire->length > (UINT64_MAX - digit) / 10)
            return WIRE_FAULT_LENGTH;
        wire->length = wire->length * 10 + digit;
    }
    return WIRE_FAULT_NONE;
}

/* Transfer-Encoding is something else than "chunked": a coding that nobody here knows, or nonsense? */
static enum wire_fault name_coding_fault(struct span value)
{
    if (value.length == 0)
        return WIRE_FAULT_CODING;
    while (value.length > 0) {
        size_t length = 0;
        while (length < value.length && value.data[length] != ',')
            length++;
        struct span coding = {value.data, length};
        bool last = length == value.length;
        trim(&coding);
        if (coding.length == 0 || (!last && span_equal_nocase(coding, span_of("chunked"))))
            return WIRE_FAULT_CODING;
        for (size_t i = 0; i < coding.length; i++)
            if (!ascii_is_token(coding.data[i]) && memchr(" \t;=\"", coding.data[i], 5) == NULL)
                return WIRE_FAULT_CODING;
        value.data += last ? length : length + 1;
        value.length -= last ? length : length + 1;
        if (!last && value.length == 0)
            return WIRE_FAULT_CODING;
    }
    return WIRE_FAULT_CODING_UNKNOWN;
}

static enum wire_fault read_coding(struct wire *wire)
{
    struct span value;

    if (wire->has_coding)
        return WIRE_FAULT_TWO_CODINGS;
    wire->has_coding = true;
    if (wire->minor == '0')
        return WIRE_FAULT_CODING_OLD;
    if (!value_of(wire, &value))
        return WIRE_FAULT_CODING;
    return span_equal_nocase(value, span_of("chunked")) ? WIRE_FAULT_NONE : name_coding_fault(value);
}

static enum wire_fault read_host(struct wire *wire)
{
    struct span value;
    struct authority authority;

    if (wire->has_host)
        return WIRE_FAULT_TWO_HOSTS;
    wire->has_host = true;
    return value_of(wire, &value) && authority_read(value, &authority) ? WIRE_FAULT_NONE : WIRE_FAULT_HOST;
}

static enum wire_fault read_expect(struct wire *wire)
{
    struct span value;
    bool met = value_of(wire, &value) && span_equal_nocase(value, span_of("100-continue"));
    bool again = wire->has_expect;

    wire->has_expect = true;
    return met && !again ? WIRE_FAULT_NONE : WIRE_FAULT_EXPECTATION;
}

enum wire_fault wire_field_end(struct wire *wire)
{
    switch ((enum wire_kind)wire->kind) {
    case KIND_LENGTH:
        return read_length(wire);
    case KIND_CODING:
        return read_coding(wire);
    case KIND_HOST:
        return read_host(wire);
    case KIND_CONNECTION:
        return read_connection(wire);
    case KIND_EXPECT:
        return read_expect(wire);
    case KIND_OTHER:
        break;
    }
    return WIRE_FAULT_NONE;
}

enum wire_fault wire_header_check(struct wire *wire)
{
    if (wire->has_length && wire->has_coding)
        return WIRE_FAULT_LENGTH_AND_CODING;
    if (wire->minor == '1' && !wire->has_host)
        return WIRE_FAULT_NO_HOST;
    if (wire->bodiless && wire_has_content(wire))
        return WIRE_FAULT_CONTENT;
    return wire->length > wire->limits.body_bytes ? WIRE_FAULT_BODY_LARGE : WIRE_FAULT_NONE;
}
