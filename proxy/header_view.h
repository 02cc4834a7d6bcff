/* A look at the header of a request that the wire guard refused for its body: enough to say in the logs whose
 * it was. */
#ifndef PROXY_HEADER_VIEW_H
#define PROXY_HEADER_VIEW_H

#include "policies/arena.h"
#include "policies/request.h"

/* Reads method, target and fields from bytes that begin with a whole header that passed the wire grammar
 * (CRLF line ends, no folds). The spans point into the bytes. false when they do not, or memory is out. */
bool header_view(struct span bytes, struct arena *arena, struct request *request);

#endif
