/* How an answer reaches the wire: the bytes, and what happens around them. */
#ifndef SANDBOX_DELIVERY_H
#define SANDBOX_DELIVERY_H

#include "tests/sandbox/answer.h"
#include "tests/sandbox/fault.h"
#include "tests/sandbox/http.h"

/* What becomes of the connection when everything is sent. */
enum delivery_end {
    END_KEEP,   /* the next request */
    END_FINISH, /* close in good order */
    END_CUT,    /* close at once */
    END_RESET,  /* close with a reset */
};

struct delivery {
    struct text interim; /* sent before the delay */
    struct text bytes;   /* sent after it */
    uint64_t stream;     /* filler sent behind the bytes */
    bool stream_chunked;
    const char *stream_tail;
    uint64_t delay_ms;
    uint64_t drip_ms; /* the pause after each byte */
    enum delivery_end end;
};

/* Plans the delivery of the answer as the fault says (NULL: in good order). The answer may be changed. */
void delivery_plan(struct delivery *delivery, const struct http_request *request, struct answer *answer,
                   const struct fault *fault, const char *date);

/* Forgets the plan; its memory is kept unless it is large. */
void delivery_clear(struct delivery *delivery);

/* Frees what the delivery holds. */
void delivery_free(struct delivery *delivery);

#endif
