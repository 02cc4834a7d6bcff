/* The API: what a request does to the state, and what is answered. */
#ifndef SANDBOX_API_H
#define SANDBOX_API_H

#include "tests/sandbox/answer.h"
#include "tests/sandbox/faults.h"
#include "tests/sandbox/fixtures.h"
#include "tests/sandbox/http.h"
#include "tests/sandbox/shapes.h"
#include "tests/sandbox/store.h"

struct api {
    struct store store;
    struct text fixtures; /* the fixtures file; empty: the built-in set */
    struct faults faults;
    struct shapes shapes;
    struct uuid_source ids;
};

/* Makes the API ready, its state read from the text of a fixtures file (NULL: the built-in set). False and
 * *fault filled otherwise; api_close must be called either way. */
bool api_open(struct api *api, const struct text *fixtures, struct fixtures_fault *fault);

/* Frees what the API holds. */
void api_close(struct api *api);

/* Puts the state back to the fixtures; false when memory is out. */
bool api_reset(struct api *api);

/* Is that a request to the sandbox itself (/_sandbox/…), which is neither recorded nor disturbed? */
bool api_is_control(const struct http_request *request);

/* Carries out the request and writes the answer. `link_base` is put before every link and location ("" leaves
 * them relative). */
void api_answer(struct api *api, const struct http_request *request, const char *link_base,
                struct answer *answer);

/* Writes an answer that the API itself would not give: an error document with the status, or only the status
 * when it is below 400. */
void api_answer_status(struct api *api, int status, const char *detail, struct answer *answer);

#endif
