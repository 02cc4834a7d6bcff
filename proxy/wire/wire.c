#include "policies/ascii.h"
#include "proxy/wire/wire_internal.h"

static wire_reader *const steps[] = {
    [STEP_START] = wire_on_start,
    [STEP_BLANK_LF] = wire_on_blank_lf,
    [STEP_METHOD] = wire_on_method,
    [STEP_TARGET] = wire_on_target,
    [STEP_VERSION] = wire_on_version,
    [STEP_LINE_LF] = wire_on_line_lf,
    [STEP_FIELD_START] = wire_on_field_start,
    [STEP_NAME] = wire_on_name,
    [STEP_VALUE_START] = wire_on_value_start,
    [STEP_VALUE] = wire_on_value,
    [STEP_VALUE_LF] = wire_on_value_lf,
    [STEP_END_LF] = wire_on_end_lf,
    [STEP_CHUNK_SIZE] = wire_on_chunk_size,
    [STEP_CHUNK_EXTENSION] = wire_on_chunk_extension,
    [STEP_CHUNK_SIZE_LF] = wire_on_chunk_size_lf,
    [STEP_CHUNK_CR] = wire_on_chunk_cr,
    [STEP_CHUNK_LF] = wire_on_chunk_lf,
};

void wire_begin(struct wire *wire, const struct wire_limits *limits)
{
    *wire = (struct wire){.state = WIRE_IDLE, .step = STEP_START, .limits = *limits};
}

/* Takes as much content as is there and belongs to the content or the chunk. */
static size_t take_content(struct wire *wire, struct span bytes, struct span *data)
{
    *data = bytes;
    if (wire->left < bytes.length)
        data->length = (size_t)wire->left;
    wire->left -= data->length;
    if (wire->left > 0)
        return data->length;
    if (wire->step == STEP_CONTENT)
        wire->state = WIRE_COMPLETE;
    else
        wire->step = STEP_CHUNK_CR;
    return data->length;
}

/* Reads one byte that is no content. */
static void take_byte(struct wire *wire, char c)
{
    enum wire_fault fault = steps[wire->step](wire, c);

    if (fault != WIRE_FAULT_NONE) {
        wire->state = WIRE_REFUSED;
        wire->fault = fault;
    }
}

/* What the present step takes one byte after the other in the same way, it takes at once: the run of them, no
 * further than the bounds. The byte behind a run, or at a bound, goes the ordinary way. */
static size_t take_run(struct wire *wire, struct span bytes)
{
    size_t run = 0;

    if (bytes.length > wire->limits.header_bytes - wire->header_used)
        bytes.length = wire->limits.header_bytes - wire->header_used;
    switch (wire->step) {
    case STEP_TARGET:
        if (bytes.length > wire->limits.target_bytes - wire->target_used)
            bytes.length = wire->limits.target_bytes - wire->target_used;
        run = ascii_run(bytes, ASCII_TARGET);
        wire->target_used += run;
        break;
    case STEP_VERSION:
        run = wire_version_run(wire, bytes);
        break;
    case STEP_NAME:
        run = wire_name_run(wire, bytes);
        break;
    case STEP_VALUE:
        run = wire_value_run(wire, bytes);
        break;
    default:
        break;
    }
    wire->header_used += run;
    return run;
}

size_t wire_read(struct wire *wire, struct span bytes, struct span *data)
{
    bool in_head = wire->state < WIRE_BODY;
    size_t used = 0;

    *data = (struct span){NULL, 0};
    while (used < bytes.length && wire->state < WIRE_COMPLETE) {
        if (in_head && wire->state == WIRE_BODY)
            break;
        if (wire->step >= STEP_CONTENT)
            return used + take_content(wire, (struct span){bytes.data + used, bytes.length - used}, data);
        used += take_run(wire, (struct span){bytes.data + used, bytes.length - used});
        if (used < bytes.length)
            take_byte(wire, bytes.data[used++]);
    }
    return used;
}

bool wire_header_complete(const struct wire *wire)
{
    return wire->header_complete;
}

unsigned wire_field_count(const struct wire *wire)
{
    return wire->header_fields;
}

int wire_http_minor(const struct wire *wire)
{
    return wire->minor == '0' ? 0 : 1;
}

bool wire_has_content(const struct wire *wire)
{
    return wire->has_coding || wire->length > 0;
}

bool wire_is_chunked(const struct wire *wire)
{
    return wire->has_coding;
}

uint64_t wire_content_length(const struct wire *wire)
{
    return wire->length;
}

uint64_t wire_content_read(const struct wire *wire)
{
    return wire->has_coding ? wire->body_used : wire->length;
}

bool wire_expects_continue(const struct wire *wire)
{
    return wire->has_expect && wire_has_content(wire) && wire_http_minor(wire) == 1;
}

bool wire_keeps_connection(const struct wire *wire)
{
    return !wire->close && (wire_http_minor(wire) == 1 || wire->keep_alive);
}
