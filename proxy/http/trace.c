#include "proxy/http/trace.h"

#include "policies/ascii.h"

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

/* Of version 00 it is the whole text; of a later one that may grow behind these fields, but for ff, which is
 * none (§3.2.2.1, §3.2.3). */
static bool has_known_length(struct span text)
{
    if (text.length < TRACE_LENGTH || memcmp(text.data, "ff", 2) == 0)
        return false;
    return text.length == TRACE_LENGTH || (memcmp(text.data, "00", 2) != 0 && text.data[TRACE_LENGTH] == '-');
}

static bool is_valid(struct span text)
{
    return has_known_length(text) && is_lower_hex(text, 0, 2) && text.data[TRACE_ID_AT - 1] == '-' &&
           text.data[PARENT_AT - 1] == '-' && text.data[FLAGS_AT - 1] == '-' &&
           is_lower_hex(text, TRACE_ID_AT, 32) && is_lower_hex(text, PARENT_AT, 16) &&
           is_lower_hex(text, FLAGS_AT, 2) && !all_zero(text, TRACE_ID_AT, 32) &&
           !all_zero(text, PARENT_AT, 16);
}

/* The one flag that is defined; all others must be sent as zero (§3.2.2.5). */
static bool is_sampled(struct span text)
{
    return (ascii_hex(text.data[FLAGS_AT + 1]) & 1) != 0;
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
    memcpy(trace->parent + FLAGS_AT, !trace->continued || is_sampled(received) ? "01" : "00", 2);
    trace->parent[TRACE_LENGTH] = '\0';
}
