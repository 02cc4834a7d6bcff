/* Inside of `portcullis explain`: a request made up from the command line, judged, and the judgement written
 * down. */
#ifndef PROXY_CONSOLE_EXPLAIN_H
#define PROXY_CONSOLE_EXPLAIN_H

#include "policies/decide.h"
#include "proxy/base/secret.h"
#include "proxy/config/config.h"

#define EXPLAIN_HEADERS      64
#define EXPLAIN_CERTIFICATES 32
#define EXPLAIN_GATES        32

struct explain_options {
    const char *config, *method, *target;
    const char *principal; /* NULL with a token or certificate */
    bool token_stdin;
    const char *certificates[EXPLAIN_CERTIFICATES]; /* names in the client's certificate */
    size_t certificate_count;
    const char *body; /* file or "-"; NULL without content */
    const char *headers[EXPLAIN_HEADERS];
    size_t header_count;
    bool json;
};

/* The request, and what its spans point into. */
struct explain_request {
    struct request request;
    struct field fields[EXPLAIN_HEADERS + 3];
    struct span names[EXPLAIN_CERTIFICATES];
    struct text body;
    char authorization[sizeof "Token " + SECRET_ROOM];
};

/* Makes the request: reads body and token. NULL, or what is wrong (static, or in `arena`).
 * explain_request_wipe either way. */
const char *explain_request_make(struct explain_request *made, const struct explain_options *options,
                                 const struct config *config, struct arena *arena);
void explain_request_wipe(struct explain_request *made);

/* A judgement with what each gate said. */
struct explanation {
    const struct decide_input *input;
    const struct request *request;
    const struct decision *decision;
    struct gate_report reports[EXPLAIN_GATES];
    size_t report_count;
};

/* Appends it for a person, or as one JSON object. Holds no secret: those of the body are masked. */
void explain_write(const struct explanation *explanation, struct text *out);
void explain_write_json(const struct explanation *explanation, struct text *out);

#endif
