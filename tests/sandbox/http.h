/* HTTP/1 requests, read strictly and piece by piece.
 *
 * It shares no code with the gate's grammar on purpose: what the gate sends is judged here by a second
 * opinion. */
#ifndef SANDBOX_HTTP_H
#define SANDBOX_HTTP_H

#include "policies/text.h"

#define HTTP_HEAD_LIMIT  65536u              /* request line and fields */
#define HTTP_BODY_LIMIT  (64u * 1024 * 1024) /* decoded */
#define HTTP_FIELD_LIMIT 128u

struct http_field {
    struct span name; /* lower-case */
    struct span value;
};

struct http_request {
    struct span method;
    struct span target;
    struct http_field fields[HTTP_FIELD_LIMIT];
    size_t field_count;
    struct span body;
    unsigned minor; /* HTTP/1.minor */
    bool keep_alive;
};

enum http_phase {
    HTTP_HEAD,
    HTTP_BODY,
    HTTP_CHUNK_SIZE,
    HTTP_CHUNK_DATA,
    HTTP_CHUNK_END,
    HTTP_TRAILERS,
    HTTP_DONE,
    HTTP_REFUSED,
};

struct http_reader {
    enum http_phase phase;
    struct text head; /* the spans of `request` point in here */
    struct text line; /* the chunk size or trailer being read */
    struct text body;
    size_t line_start; /* in head */
    uint64_t left;     /* bytes of the body or of the chunk still to come */
    bool wants_continue;
    struct http_request request;
    int status;         /* of the refusal */
    const char *detail; /* of the refusal */
};

/* Consumes bytes until one request is complete (HTTP_DONE), is refused (HTTP_REFUSED) or the bytes are used
 * up. Advances *bytes. In the first two cases `request` holds what was read of it, until http_reader_next. */
enum http_phase http_read(struct http_reader *reader, struct span *bytes);

/* The client sends no more: a request begun is refused (HTTP_REFUSED); otherwise the phase stays. */
enum http_phase http_read_end(struct http_reader *reader);

/* Was anything read of a request that is not complete? */
bool http_reader_begun(const struct http_reader *reader);

/* Makes the reader ready for the next request. */
void http_reader_next(struct http_reader *reader);

/* Frees what the reader holds. */
void http_reader_free(struct http_reader *reader);

/* The first field of that (lower-case) name; data is NULL when there is none. */
struct span http_field(const struct http_request *request, const char *name);

#endif
