/* W3C Trace Context (https://www.w3.org/TR/trace-context-1/): a valid traceparent of the client is continued
 * under a parent id of ours, anything else begins a new trace. What is sent on is of version 00, whatever
 * version was received. */
#ifndef PROXY_HTTP_TRACE_H
#define PROXY_HTTP_TRACE_H

#include "policies/span.h"
#include "proxy/base/entropy.h"

#define TRACE_TEXT 56 /* "00-<32 hex>-<16 hex>-<2 hex>" and its NUL */

struct trace {
    char parent[TRACE_TEXT]; /* the traceparent to send on */
    bool continued;          /* the client began the trace */
};

/* `received`: the client's traceparent, data NULL without one. */
void trace_begin(struct trace *trace, struct span received, struct entropy *entropy);

/* The 32 hex digits of the trace id. */
static inline struct span trace_id(const struct trace *trace)
{
    return (struct span){trace->parent + 3, 32};
}

#endif
