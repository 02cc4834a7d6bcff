#include "proxy/upstream/octets.h"

#include "policies/ascii.h"

bool octets_are_token(struct span bytes)
{
    return bytes.length > 0 && ascii_run(bytes, ASCII_TOKEN) == bytes.length;
}

bool octets_are_value(struct span bytes)
{
    return ascii_value_run(bytes) == bytes.length;
}

bool octets_next_item(struct span *list, struct span *item)
{
    while (list->length > 0) {
        const char *comma = memchr(list->data, ',', list->length);
        size_t length = comma ? (size_t)(comma - list->data) : list->length;
        *item = span_trim((struct span){list->data, length});
        size_t step = comma ? length + 1 : length;
        list->data += step;
        list->length -= step;
        if (item->length > 0)
            return true;
    }
    return false;
}
