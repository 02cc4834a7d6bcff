#include "proxy/upstream/octets.h"

static bool is_token_octet(char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-')
        return true;
    return c != '\0' && strchr("!#$%&'*+.^_`|~", c) != NULL;
}

bool octets_are_token(struct span bytes)
{
    for (size_t i = 0; i < bytes.length; i++)
        if (!is_token_octet(bytes.data[i]))
            return false;
    return bytes.length > 0;
}

bool octets_are_value(struct span bytes)
{
    for (size_t i = 0; i < bytes.length; i++) {
        unsigned char c = (unsigned char)bytes.data[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct span octets_trim(struct span bytes)
{
    while (bytes.length > 0 && is_blank(bytes.data[0])) {
        bytes.data++;
        bytes.length--;
    }
    while (bytes.length > 0 && is_blank(bytes.data[bytes.length - 1]))
        bytes.length--;
    return bytes;
}

bool octets_next_item(struct span *list, struct span *item)
{
    while (list->length > 0) {
        const char *comma = memchr(list->data, ',', list->length);
        size_t length = comma ? (size_t)(comma - list->data) : list->length;
        *item = octets_trim((struct span){list->data, length});
        size_t step = comma ? length + 1 : length;
        list->data += step;
        list->length -= step;
        if (item->length > 0)
            return true;
    }
    return false;
}
