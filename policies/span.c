#include "policies/span.h"

size_t span_set_search(const struct span_set *set, struct span name)
{
    for (size_t i = 0; i < set->count; i++)
        if (span_equal_nocase(set->names[i], name))
            return i;
    return set->count;
}
