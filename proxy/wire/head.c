/* Request line, fields and trailer fields, byte by byte. */
#include "policies/ascii.h"
#include "proxy/wire/wire_internal.h"

#define BLANK_LINES 2 /* before a request line (RFC 9112 §2.2) */

static const char version_form[] = "HTTP/x.y"; /* x and y: any digit */
#define VERSION_MAJOR 5
#define VERSION_MINOR 7

static enum wire_fault count_byte(struct wire *wire)
{
    return ++wire->header_used > wire->limits.header_bytes ? WIRE_FAULT_HEADER_LARGE : WIRE_FAULT_NONE;
}

static enum wire_fault go(struct wire *wire, enum wire_step step)
{
    wire->step = step;
    return count_byte(wire);
}

enum wire_fault wire_on_start(struct wire *wire, char c)
{
    if (c == '\r') {
        wire->step = STEP_BLANK_LF;
        return wire->matched++ < BLANK_LINES ? WIRE_FAULT_NONE : WIRE_FAULT_BLANK_LINES;
    }
    wire->state = WIRE_HEAD;
    wire->step = STEP_METHOD;
    return c == '\n' ? WIRE_FAULT_BARE_LF : c == ' ' ? WIRE_FAULT_METHOD : wire_on_method(wire, c);
}

enum wire_fault wire_on_blank_lf(struct wire *wire, char c)
{
    wire->step = STEP_START;
    return c == '\n' ? WIRE_FAULT_NONE : WIRE_FAULT_BARE_CR;
}

static enum wire_fault check_method(struct wire *wire)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"};
    struct span method = {wire->name, wire->name_used < WIRE_NAME_KEPT ? wire->name_used : WIRE_NAME_KEPT};

    if (span_is(method, "CONNECT"))
        return WIRE_FAULT_CONNECT;
    /* Readers disagree on whether content of these two is read or taken for the next request. */
    wire->bodiless = span_is(method, "HEAD") || span_is(method, "TRACE");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (span_is(method, known[i]))
            return WIRE_FAULT_NONE;
    return WIRE_FAULT_METHOD_UNKNOWN;
}

enum wire_fault wire_on_method(struct wire *wire, char c)
{
    if (c == ' ') {
        enum wire_fault fault = check_method(wire);
        return fault != WIRE_FAULT_NONE ? fault : go(wire, STEP_TARGET);
    }
    if (!ascii_is_token(c))
        return c == '\n' ? WIRE_FAULT_BARE_LF : WIRE_FAULT_METHOD;
    wire_keep(wire->name, WIRE_NAME_KEPT, &wire->name_used, c);
    return count_byte(wire);
}

enum wire_fault wire_on_target(struct wire *wire, char c)
{
    if (c == ' ') {
        wire->matched = 0;
        return wire->target_used > 0 ? go(wire, STEP_VERSION) : WIRE_FAULT_SPACE;
    }
    if (c == '\n' || c == '\r' || c == '\t')
        return c == '\n' ? WIRE_FAULT_BARE_LF : c == '\r' ? WIRE_FAULT_NO_VERSION : WIRE_FAULT_SPACE;
    if (!ascii_is(c, ASCII_TARGET))
        return ascii_is_control(c) ? WIRE_FAULT_CONTROL : WIRE_FAULT_TARGET;
    if (++wire->target_used > wire->limits.target_bytes)
        return WIRE_FAULT_TARGET_LONG;
    return count_byte(wire);
}

enum wire_fault wire_on_version(struct wire *wire, char c)
{
    unsigned at = wire->matched++;

    if (c == ' ' || c == '\t' || c == '\n')
        return c == '\n' ? WIRE_FAULT_BARE_LF : WIRE_FAULT_SPACE;
    if (at == sizeof version_form - 1) {
        if (c != '\r')
            return WIRE_FAULT_VERSION;
        return wire->major == '1' && wire->minor <= '1' ? go(wire, STEP_LINE_LF) : WIRE_FAULT_VERSION_UNKNOWN;
    }
    if (c == '\r' && at == 0)
        return WIRE_FAULT_NO_VERSION;
    if (at == VERSION_MAJOR)
        wire->major = c;
    if (at == VERSION_MINOR)
        wire->minor = c;
    if (at == VERSION_MAJOR || at == VERSION_MINOR ? !ascii_is_digit(c) : c != version_form[at])
        return WIRE_FAULT_VERSION;
    return count_byte(wire);
}

/* Nearly all say the same version. */
size_t wire_version_run(struct wire *wire, struct span bytes)
{
    static const struct span usual = SPAN_INIT("HTTP/1.1");

    if (wire->matched > 0 || bytes.length < usual.length || memcmp(bytes.data, usual.data, usual.length) != 0)
        return 0;
    wire->major = wire->minor = '1';
    wire->matched = sizeof version_form - 1;
    return usual.length;
}

enum wire_fault wire_on_line_lf(struct wire *wire, char c)
{
    return c == '\n' ? go(wire, STEP_FIELD_START) : WIRE_FAULT_BARE_CR;
}

enum wire_fault wire_on_field_start(struct wire *wire, char c)
{
    if (c == '\r')
        return go(wire, STEP_END_LF);
    if (c == ' ' || c == '\t')
        return WIRE_FAULT_FOLD;
    if (ascii_is_token(c) && ++wire->fields > wire->limits.header_fields)
        return WIRE_FAULT_FIELDS;
    wire->step = STEP_NAME;
    wire->name_used = 0;
    wire->value_used = 0;
    return wire_on_name(wire, c);
}

enum wire_fault wire_on_name(struct wire *wire, char c)
{
    if (c == ':' && wire->name_used > 0) {
        enum wire_fault fault = wire_field_begin(wire);
        return fault != WIRE_FAULT_NONE ? fault : go(wire, STEP_VALUE_START);
    }
    if (ascii_is_token(c)) {
        wire_keep(wire->name, WIRE_NAME_KEPT, &wire->name_used, ascii_lower(c));
        return count_byte(wire);
    }
    if (c == ' ' || c == '\t')
        return WIRE_FAULT_SPACE_BEFORE_COLON;
    return c == '\n' ? WIRE_FAULT_BARE_LF : c == '\r' ? WIRE_FAULT_NO_COLON : WIRE_FAULT_NAME;
}

size_t wire_name_run(struct wire *wire, struct span bytes)
{
    size_t run = ascii_run(bytes, ASCII_TOKEN);

    for (size_t i = 0; i < run && wire->name_used + i < WIRE_NAME_KEPT; i++)
        wire->name[wire->name_used + i] = ascii_lower(bytes.data[i]);
    wire->name_used += run;
    return run;
}

enum wire_fault wire_on_value_start(struct wire *wire, char c)
{
    if (c == ' ' || c == '\t')
        return count_byte(wire);
    wire->step = STEP_VALUE;
    return wire_on_value(wire, c);
}

enum wire_fault wire_on_value(struct wire *wire, char c)
{
    if (c == '\r')
        return go(wire, STEP_VALUE_LF);
    if (ascii_is_control(c) && c != '\t')
        return c == '\n' ? WIRE_FAULT_BARE_LF : WIRE_FAULT_CONTROL;
    enum wire_fault fault = wire_field_byte(wire, c);
    return fault != WIRE_FAULT_NONE ? fault : count_byte(wire);
}

enum wire_fault wire_on_value_lf(struct wire *wire, char c)
{
    if (c != '\n')
        return WIRE_FAULT_BARE_CR;
    enum wire_fault fault = wire_field_end(wire);
    return fault != WIRE_FAULT_NONE ? fault : go(wire, STEP_FIELD_START);
}

/* Behind the last field: what comes now? */
static void end_header(struct wire *wire)
{
    wire->state = wire_has_content(wire) ? WIRE_BODY : WIRE_COMPLETE;
    wire->step = wire->has_coding ? STEP_CHUNK_SIZE : STEP_CONTENT;
    wire->left = wire->length;
    wire->matched = 0;
}

enum wire_fault wire_on_end_lf(struct wire *wire, char c)
{
    if (c != '\n')
        return WIRE_FAULT_BARE_CR;
    if (count_byte(wire) != WIRE_FAULT_NONE)
        return WIRE_FAULT_HEADER_LARGE;
    if (wire->in_trailer) {
        wire->state = WIRE_COMPLETE;
        return WIRE_FAULT_NONE;
    }
    wire->header_complete = true;
    wire->header_fields = wire->fields;
    enum wire_fault fault = wire_header_check(wire);
    if (fault == WIRE_FAULT_NONE)
        end_header(wire);
    return fault;
}
