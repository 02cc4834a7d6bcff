/* The grammar of answers (RFC 9112): strict, incremental, pure. It says what the bytes mean or refuses them;
 * it never guesses. */
#ifndef PROXY_UPSTREAM_ANSWER_H
#define PROXY_UPSTREAM_ANSWER_H

#include "policies/request.h"

#include <stdint.h>

#define ANSWER_FIELDS 128

enum answer_state { ANSWER_HEAD, ANSWER_BODY, ANSWER_DONE, ANSWER_INVALID };

struct answer;

/* `header_bytes` bounds status line and fields together. */
struct answer *answer_new(size_t header_bytes);
void answer_free(struct answer *answer);

/* Makes ready for the next answer; `head_request`: it answers a HEAD and has no body. */
void answer_begin(struct answer *answer, bool head_request);

/* The same for the answer to a CONNECT (RFC 9110 §9.3.6): it is DONE behind its header, and what that says of
 * a body is passed over. */
void answer_begin_connect(struct answer *answer);

/* Reads from `bytes`; returns how many it took. Stops behind the header (state becomes ANSWER_BODY or
 * ANSWER_DONE), behind each piece of body (*piece is the decoded part, inside `bytes`; empty when the step
 * brought none), and at the end. Call again while it takes something and the state is not DONE or INVALID.
 * Bytes left when DONE are surplus. */
size_t answer_read(struct answer *answer, struct span bytes, struct span *piece);

/* The connection was closed cleanly: DONE for a body that ends with the connection, INVALID otherwise. */
enum answer_state answer_finish(struct answer *answer);

enum answer_state answer_state(const struct answer *answer);
const char *answer_fault(const struct answer *answer); /* why INVALID: stable words such as "two-lengths" */

/* Behind the header: */
int answer_status(const struct answer *answer);
const struct field *answer_fields(const struct answer *answer,
                                  size_t *count);          /* all, as received, values trimmed */
int64_t answer_length(const struct answer *answer);        /* -1: chunked or until close */
bool answer_keeps_connection(const struct answer *answer); /* may the connection be used again? */
bool answer_began(const struct answer *answer);            /* has any byte been read since answer_begin? */

#endif
