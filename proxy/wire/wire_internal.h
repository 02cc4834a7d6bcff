/* What the parts of the request grammar share. A step reads one byte, and may choose another step for the
 * next one. */
#ifndef PROXY_WIRE_WIRE_INTERNAL_H
#define PROXY_WIRE_WIRE_INTERNAL_H

#include "proxy/wire/wire.h"

enum wire_step {
    STEP_START, /* head.c */
    STEP_BLANK_LF,
    STEP_METHOD,
    STEP_TARGET,
    STEP_VERSION,
    STEP_LINE_LF,
    STEP_FIELD_START,
    STEP_NAME,
    STEP_VALUE_START,
    STEP_VALUE,
    STEP_VALUE_LF,
    STEP_END_LF,
    STEP_CHUNK_SIZE, /* chunk.c */
    STEP_CHUNK_EXTENSION,
    STEP_CHUNK_SIZE_LF,
    STEP_CHUNK_CR,
    STEP_CHUNK_LF,
    STEP_CONTENT, /* wire.c: takes pieces, not bytes */
    STEP_CHUNK_CONTENT,
};

typedef enum wire_fault wire_reader(struct wire *wire, char c);

/* head.c: request line, fields, trailer fields */
wire_reader wire_on_start, wire_on_blank_lf, wire_on_method, wire_on_target, wire_on_version, wire_on_line_lf,
    wire_on_field_start, wire_on_name, wire_on_value_start, wire_on_value, wire_on_value_lf, wire_on_end_lf;

/* The same for as many bytes as come alike; how many. The caller counts them as bytes of the header. */
size_t wire_version_run(struct wire *wire, struct span bytes);
size_t wire_name_run(struct wire *wire, struct span bytes);
size_t wire_value_run(struct wire *wire, struct span bytes); /* field.c */

/* chunk.c: what stands around the content of chunks */
wire_reader wire_on_chunk_size, wire_on_chunk_extension, wire_on_chunk_size_lf, wire_on_chunk_cr,
    wire_on_chunk_lf;

/* field.c: what single fields say. */

/* The name is complete: decides how much of the value is looked at. */
enum wire_fault wire_field_begin(struct wire *wire);

/* A byte of the value, without the space in front. */
enum wire_fault wire_field_byte(struct wire *wire, char c);

/* The value is complete. */
enum wire_fault wire_field_end(struct wire *wire);

/* The header is complete: do its fields agree? */
enum wire_fault wire_header_check(struct wire *wire);

/* Keeps a byte of name or value, as long as there is room; it is counted in any case. */
static inline void wire_keep(char *kept, size_t room, size_t *used, char c)
{
    if (*used < room)
        kept[*used] = c;
    ++*used;
}

#endif
