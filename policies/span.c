#include "policies/span.h"

#include <stdlib.h>

char *span_copy(struct span span)
{
    char *copy = malloc(span.length + 1);

    if (copy == NULL)
        return NULL;
    if (span.length > 0)
        memcpy(copy, span.data, span.length);
    copy[span.length] = '\0';
    return copy;
}

size_t span_set_search(const struct span_set *set, struct span name)
{
    for (size_t i = 0; i < set->count; i++)
        if (span_equal_nocase(set->names[i], name))
            return i;
    return set->count;
}
