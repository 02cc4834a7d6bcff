/* A request as the judgement sees it: spans into what the front received. Nothing here is decoded. */
#ifndef POLICIES_REQUEST_H
#define POLICIES_REQUEST_H

#include "policies/span.h"

#include <stdint.h>

struct facts;
struct field_row;

struct field {
    struct span name, value; /* value without surrounding white space */
};

struct request {
    struct span method;
    struct span target; /* as it stood in the request line */
    const struct field *fields;
    size_t field_count;
    const struct field_row *const *rows;  /* field_row() of each field; NULL: not asked for yet */
    struct span body;                     /* content, framing removed */
    bool has_content;                     /* framing announced content: Content-Length above 0, or chunked */
    const struct span *certificate_names; /* of the client's certificate, verified; canonical, as
                                             certificate_name.h makes them */
    size_t certificate_name_count;
    struct span client;        /* address of the peer, without its port */
    int64_t now;               /* seconds since the epoch: the judgement has no clock of its own */
    const struct facts *facts; /* NULL: none has been asked for yet */
};

#endif
