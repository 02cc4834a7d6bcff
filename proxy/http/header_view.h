/* The header of a request as the judgement sees it: method, target and fields where they lie. */
#ifndef PROXY_HTTP_HEADER_VIEW_H
#define PROXY_HTTP_HEADER_VIEW_H

#include "policies/arena.h"
#include "policies/request.h"

/* Reads method, target and fields from bytes that begin with a whole header that passed the wire grammar
 * (CRLF line ends, no folds) and has `field_count` fields. The spans point into the bytes, the lists of them
 * are in the arena. false when the bytes do not begin so, or memory is out. */
bool header_view(struct span bytes, size_t field_count, struct arena *arena, struct request *request);

/* Method and target alone. */
bool header_request_line(struct span bytes, struct span *method, struct span *target);

#endif
