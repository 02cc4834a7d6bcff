/* The framing grammar of HTTP/1.1 requests (RFC 9112): strict, byte at a time, pure. It says where a
 * request's header and content end, or refuses; what two readers could read differently is refused. It stores
 * no request: only the few fields that decide the framing are looked at, in buffers of fixed size. It never
 * looks back and never allocates. */
#ifndef PROXY_WIRE_WIRE_H
#define PROXY_WIRE_WIRE_H

#include "policies/authority.h"

#include <stdint.h>

struct wire_limits {
    size_t header_bytes;    /* request line, fields and trailer fields with their line ends */
    unsigned header_fields; /* trailer fields too */
    size_t target_bytes;
    size_t body_bytes;
};

enum wire_state {
    WIRE_IDLE, /* nothing but empty lines was read */
    WIRE_HEAD,
    WIRE_BODY, /* content, its framing, or trailer fields */
    WIRE_COMPLETE,
    WIRE_REFUSED,
};

enum wire_fault {
    WIRE_FAULT_NONE,
    WIRE_FAULT_BARE_LF,
    WIRE_FAULT_BARE_CR,
    WIRE_FAULT_BLANK_LINES,
    WIRE_FAULT_CONTROL,
    WIRE_FAULT_SPACE,
    WIRE_FAULT_METHOD,
    WIRE_FAULT_METHOD_UNKNOWN,
    WIRE_FAULT_CONNECT,
    WIRE_FAULT_TARGET,
    WIRE_FAULT_TARGET_LONG,
    WIRE_FAULT_NO_VERSION,
    WIRE_FAULT_VERSION,
    WIRE_FAULT_VERSION_UNKNOWN,
    WIRE_FAULT_FOLD,
    WIRE_FAULT_NAME,
    WIRE_FAULT_SPACE_BEFORE_COLON,
    WIRE_FAULT_NO_COLON,
    WIRE_FAULT_HEADER_LARGE,
    WIRE_FAULT_FIELDS,
    WIRE_FAULT_LENGTH,
    WIRE_FAULT_TWO_LENGTHS,
    WIRE_FAULT_CODING,
    WIRE_FAULT_CODING_UNKNOWN,
    WIRE_FAULT_TWO_CODINGS,
    WIRE_FAULT_CODING_OLD,
    WIRE_FAULT_LENGTH_AND_CODING,
    WIRE_FAULT_NO_HOST,
    WIRE_FAULT_HOST,
    WIRE_FAULT_TWO_HOSTS,
    WIRE_FAULT_CONNECTION,
    WIRE_FAULT_EXPECTATION,
    WIRE_FAULT_CONTENT,
    WIRE_FAULT_BODY_LARGE,
    WIRE_FAULT_CHUNK_SIZE,
    WIRE_FAULT_CHUNK_EXTENSION,
    WIRE_FAULT_CHUNK_END,
    WIRE_FAULT_TRAILER,
    WIRE_FAULT_DISAGREEMENT, /* never of the grammar itself: evhttp read the same bytes otherwise */
    WIRE_FAULT_COUNT
};

#define WIRE_NAME_KEPT  32
#define WIRE_VALUE_KEPT AUTHORITY_LONGEST

struct wire {
    enum wire_state state;
    enum wire_fault fault; /* with WIRE_REFUSED */

    /* The rest belongs to the grammar. */
    struct wire_limits limits;
    unsigned step;      /* what the next byte is: enum wire_step */
    size_t header_used; /* bytes of the header so far */
    size_t target_used;
    size_t body_used;       /* content in the chunks begun so far */
    unsigned fields;        /* field lines begun */
    unsigned header_fields; /* of them, those of the header */
    unsigned matched;       /* bytes of "HTTP/x.y", of an extension, or empty lines */
    unsigned quoting;       /* where in a chunk extension */
    uint64_t left;   /* bytes of the content or of the chunk still to come; while a size is read, the size */
    uint64_t length; /* Content-Length */
    char major, minor; /* digits of the version */
    unsigned kind;     /* of the field being read: enum wire_kind */
    bool bodiless, header_complete, in_trailer, has_length, has_coding, has_host, has_expect, close,
        keep_alive;
    size_t name_used,
        value_used; /* bytes of the name or method, and of the value; beyond what is kept they still count */
    char name[WIRE_NAME_KEPT], value[WIRE_VALUE_KEPT];
};

/* Makes ready for a request; the limits are copied. */
void wire_begin(struct wire *wire, const struct wire_limits *limits);

/* Reads from `bytes`; returns how many it took. Stops behind the header (the state is then WIRE_BODY or
 * WIRE_COMPLETE), behind each piece of content (*data is that piece, inside `bytes`, without its framing;
 * empty when the step brought none), at the end of the request, and behind the byte that made it refuse. Call
 * again while bytes are left and the state is below WIRE_COMPLETE. Bytes behind a complete request are not
 * taken: they belong to the next. */
size_t wire_read(struct wire *wire, struct span bytes, struct span *data);

/* Was the header read to its end? Also true where a request was refused by what the header as a whole says,
 * or later. */
bool wire_header_complete(const struct wire *wire);

/* Behind the header: */
unsigned wire_field_count(const struct wire *wire); /* lines of fields, those of a trailer not among them */
int wire_http_minor(const struct wire *wire);       /* 0 or 1 */
bool wire_has_content(const struct wire *wire);     /* Content-Length above 0, or chunked */
bool wire_is_chunked(const struct wire *wire);
uint64_t wire_content_length(const struct wire *wire); /* 0 without one */
uint64_t wire_content_read(const struct wire *wire);   /* bytes of content in the request, once complete */
bool wire_expects_continue(
    const struct wire *wire); /* waits for 100 (Continue) before it sends its content */
bool wire_keeps_connection(const struct wire *wire); /* would like to send another request */

/* A fault's stable name ("bare-lf"), the HTTP status it is answered with, and one sentence for a person.
 * Static storage. */
const char *wire_fault_name(enum wire_fault fault);
int wire_fault_status(enum wire_fault fault);
const char *wire_fault_detail(enum wire_fault fault);

#endif
