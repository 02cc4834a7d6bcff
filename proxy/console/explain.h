/* Inside of `portcullis explain`: a request made up from the command line, judged, and the judgement written
 * down. */
#ifndef PROXY_CONSOLE_EXPLAIN_H
#define PROXY_CONSOLE_EXPLAIN_H

#include "proxy/console/made_request.h"

#define EXPLAIN_GATES 32

struct explain_options {
    const char *config, *method, *target;
    const char *principal; /* NULL with a token or certificate */
    bool token_stdin;
    const char *certificates[MADE_CERTIFICATES]; /* names in the client's certificate */
    size_t certificate_count;
    const char *body;   /* file or "-"; NULL without content */
    const char *client; /* its address; NULL: 127.0.0.1 */
    const char *time;   /* a moment; NULL: now */
    const char *facts;  /* file; NULL: nothing of the integration is known */
    const char *headers[MADE_FIELDS];
    size_t header_count;
    bool json;
};

/* The request that the options describe, and what its spans point into. */
struct explain_request {
    struct request_description description;
    struct field fields[MADE_FIELDS];
    struct span names[MADE_CERTIFICATES];
    struct document facts; /* which the description borrows from */
    struct text body;
    char token[SECRET_ROOM];
    struct made_request made;
};

/* Makes the request: reads body, token and facts (what is wrong with these is in `problems`, too). NULL, or
 * what is wrong (static, or in `arena`). explain_request_wipe either way. */
const char *explain_request_make(struct explain_request *request, const struct explain_options *options,
                                 const struct config *config, struct arena *arena, struct problems *problems);
void explain_request_wipe(struct explain_request *request);

/* A judgement with what each gate said. */
struct explanation {
    const struct decide_input *input;
    const struct request *request;
    const struct decision *decision;
    struct gate_report reports[EXPLAIN_GATES];
    size_t report_count;
    bool rules_reached; /* the gate of rules was asked */
};

/* For a refusal by the gate of permission for want of a grant: appends the smallest grant that would have let
 * the request pass there, as JSON for `grants` of decision->organization, and is true. */
bool explain_grant(const struct decision *decision, struct text *grant);

/* The JSON pointer of the rule or denial that refused, and that no grant helps against; NULL without one. */
const char *explain_hindrance(const struct policy *policy, const struct decision *decision);

/* Appends it for a person, or as one JSON object. Holds no secret: those of the body are masked. */
void explain_write(const struct explanation *explanation, struct text *out);
void explain_write_json(const struct explanation *explanation, struct text *out);

#endif
