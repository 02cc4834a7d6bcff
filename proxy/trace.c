#include "proxy/trace.h"

#define TRACE_ID_AT  3
#define PARENT_AT    36
#define FLAGS_AT     53
#define TRACE_LENGTH 55

static bool is_lower_hex(struct span text, size_t from, size_t count)
{
    for (size_t i = from; i < from + count; i++) {
        char c = text.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

static bool all_zero(struct span text, size_t from, size_t count)
{
    for (size_t i = from; i < from + count; i++)
        if (text.data[i] != '0')
            return false;
    return true;
}

/* Version 00 alone is continued: what a later version means is not known here, and the specification lets us
 * begin anew. */
static bool is_valid(struct span text)
{
    return text.length == TRACE_LENGTH && memcmp(text.data, "00-", 3) == 0 &&
           text.data[PARENT_AT - 1] == '-' && text.data[FLAGS_AT - 1] == '-' &&
           is_lower_hex(text, TRACE_ID_AT, 32) && is_lower_hex(text, PARENT_AT, 16) &&
           is_lower_hex(text, FLAGS_AT, 2) && !all_zero(text, TRACE_ID_AT, 32) &&
           !all_zero(text, PARENT_AT, 16);
}

void trace_begin(struct trace *trace, struct span received, struct entropy *entropy)
{
    trace->continued = received.data != NULL && is_valid(received);
    memcpy(trace->parent, "00-", 3);
    if (trace->continued)
        memcpy(trace->parent + TRACE_ID_AT, received.data + TRACE_ID_AT, 32);
    else
        entropy_hex(entropy, 16, trace->parent + TRACE_ID_AT);
    trace->parent[PARENT_AT - 1] = '-';
    entropy_hex(entropy, 8, trace->parent + PARENT_AT);
    trace->parent[FLAGS_AT - 1] = '-';
    memcpy(trace->parent + FLAGS_AT, trace->continued ? received.data + FLAGS_AT : "01", 2);
    trace->parent[TRACE_LENGTH] = '\0';
}
