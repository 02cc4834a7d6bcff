#include "policies/span.h"

size_t span_index_nocase(struct span text, const struct span *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].length == text.length && ascii_lower(list[i].data[0]) == ascii_lower(text.data[0]) &&
            span_equal_nocase(list[i], text))
            return i;
    return count;
}
