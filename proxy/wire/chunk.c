/* What stands around the content of chunks (RFC 9112 §7.1): sizes, extensions, line ends. */
#include "policies/ascii.h"
#include "proxy/wire/wire_internal.h"

#define SIZE_DIGITS     16
#define EXTENSION_BYTES 256 /* in one chunk */

/* Where in chunk-ext = *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ) */
enum quoting {
    AT_SEMICOLON, /* behind BWS: only more of it or ";" may follow */
    AT_NAME,
    IN_NAME,
    BEHIND_NAME,
    AT_VALUE,
    IN_VALUE,
    IN_QUOTES,
    IN_ESCAPE,
    BEHIND_QUOTES,
    QUOTING_COUNT,
};

/* The size is known: `left` holds it. */
static enum wire_fault end_size(struct wire *wire)
{
    if (wire->matched == 0)
        return WIRE_FAULT_CHUNK_SIZE;
    if (wire->left > wire->limits.body_bytes - wire->body_used)
        return WIRE_FAULT_BODY_LARGE;
    wire->body_used += (size_t)wire->left;
    wire->matched = 0;
    return WIRE_FAULT_NONE;
}

enum wire_fault wire_on_chunk_size(struct wire *wire, char c)
{
    int digit = ascii_hex(c);

    if (digit >= 0) {
        if (wire->matched++ == SIZE_DIGITS)
            return WIRE_FAULT_CHUNK_SIZE;
        wire->left = wire->left * 16 + (uint64_t)digit;
        return WIRE_FAULT_NONE;
    }
    if (c == '\n')
        return WIRE_FAULT_BARE_LF;
    if (c != '\r' && c != ';' && c != ' ' && c != '\t')
        return WIRE_FAULT_CHUNK_SIZE;

    enum wire_fault fault = end_size(wire);
    if (fault != WIRE_FAULT_NONE)
        return fault;
    wire->step = c == '\r' ? STEP_CHUNK_SIZE_LF : STEP_CHUNK_EXTENSION;
    wire->quoting = c == ';' ? AT_NAME : AT_SEMICOLON;
    return WIRE_FAULT_NONE;
}

/* Inside quotes every byte of a field value may stand; a backslash takes the next one as it is. */
static enum quoting next_in_quotes(enum quoting quoting, char c)
{
    if (quoting == IN_ESCAPE)
        return IN_QUOTES;
    return c == '\\' ? IN_ESCAPE : c == '"' ? BEHIND_QUOTES : IN_QUOTES;
}

/* QUOTING_COUNT when the byte must not stand there. */
static enum quoting next_quoting(enum quoting quoting, char c)
{
    if (quoting == IN_QUOTES || quoting == IN_ESCAPE)
        return next_in_quotes(quoting, c);
    if (c == ' ' || c == '\t')
        return quoting == IN_NAME                                ? BEHIND_NAME
               : quoting == IN_VALUE || quoting == BEHIND_QUOTES ? AT_SEMICOLON
                                                                 : quoting;
    if (ascii_is_token(c))
        return quoting == AT_NAME || quoting == IN_NAME     ? IN_NAME
               : quoting == AT_VALUE || quoting == IN_VALUE ? IN_VALUE
                                                            : QUOTING_COUNT;
    if (c == ';')
        return quoting == AT_NAME || quoting == AT_VALUE ? QUOTING_COUNT : AT_NAME;
    if (c == '=')
        return quoting == IN_NAME || quoting == BEHIND_NAME ? AT_VALUE : QUOTING_COUNT;
    return c == '"' && quoting == AT_VALUE ? IN_QUOTES : QUOTING_COUNT;
}

enum wire_fault wire_on_chunk_extension(struct wire *wire, char c)
{
    enum quoting quoting = (enum quoting)wire->quoting;

    if (c == '\r') {
        wire->step = STEP_CHUNK_SIZE_LF;
        return quoting == IN_NAME || quoting == IN_VALUE || quoting == BEHIND_QUOTES
                   ? WIRE_FAULT_NONE
                   : WIRE_FAULT_CHUNK_EXTENSION;
    }
    if (c == '\n')
        return WIRE_FAULT_BARE_LF;
    if ((ascii_is_control(c) && c != '\t') || ++wire->matched > EXTENSION_BYTES)
        return WIRE_FAULT_CHUNK_EXTENSION;
    quoting = next_quoting(quoting, c);
    wire->quoting = quoting;
    return quoting == QUOTING_COUNT ? WIRE_FAULT_CHUNK_EXTENSION : WIRE_FAULT_NONE;
}

enum wire_fault wire_on_chunk_size_lf(struct wire *wire, char c)
{
    wire->matched = 0;
    wire->in_trailer = wire->left == 0;
    wire->step = wire->left > 0 ? STEP_CHUNK_CONTENT : STEP_FIELD_START;
    return c == '\n' ? WIRE_FAULT_NONE : WIRE_FAULT_BARE_CR;
}

enum wire_fault wire_on_chunk_cr(struct wire *wire, char c)
{
    wire->step = STEP_CHUNK_LF;
    return c == '\r' ? WIRE_FAULT_NONE : WIRE_FAULT_CHUNK_END;
}

enum wire_fault wire_on_chunk_lf(struct wire *wire, char c)
{
    wire->step = STEP_CHUNK_SIZE;
    wire->left = 0;
    wire->matched = 0;
    return c == '\n' ? WIRE_FAULT_NONE : WIRE_FAULT_CHUNK_END;
}
