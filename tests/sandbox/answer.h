/* An answer before it is put on the wire, and the documents that go into it. */
#ifndef SANDBOX_ANSWER_H
#define SANDBOX_ANSWER_H

#include "policies/text.h"
#include "tests/sandbox/uuid.h"

#define JSON_API_TYPE "application/vnd.api+json"

struct answer {
    int status;
    const char *content_type; /* NULL: without content */
    struct text fields;       /* further header lines, each with its CRLF */
    struct text body;
    bool open;         /* a JSON:API document was begun */
    unsigned problems; /* errors in it so far */
    struct uuid_source *ids;
};

/* Empties the answer for the next request; its memory is kept. */
void answer_clear(struct answer *answer);

/* Frees what the answer holds. */
void answer_free(struct answer *answer);

/* Adds a header line. */
void answer_field(struct answer *answer, const char *name, struct span value);

/* Begins a JSON:API document with a status: {"jsonapi":{"version":"1.0"} */
void answer_begin(struct answer *answer, int status);

/* Adds an error to the document. `source` is "parameter", "pointer" or NULL; `input` is what it names. The
 * first error makes the status. Details never quote what the client sent: it may be a secret. */
void answer_problem(struct answer *answer, int status, const char *source, struct span input,
                    const char *detail);

/* Replaces the answer by a document with this one error. */
void answer_error(struct answer *answer, int status, const char *detail);

/* Closes the document, if one was begun. */
void answer_end(struct answer *answer);

#endif
