#include "proxy/net/forwarded.h"

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]" and "[2001:db8::1]:80". */
static bool read_entry(struct span entry, struct ip_address *address)
{
    const char *colon, *end = entry.data + entry.length;

    if (entry.length > 0 && entry.data[0] == '[') {
        const char *close = memchr(entry.data, ']', entry.length);
        if (close == NULL || (close + 1 < end && close[1] != ':'))
            return false;
        return ip_address_parse((struct span){entry.data + 1, (size_t)(close - entry.data) - 1}, address) &&
               !ip_address_is_four(address);
    }
    colon = entry.length > 0 ? memchr(entry.data, ':', entry.length) : NULL;
    if (colon != NULL && memchr(colon + 1, ':', (size_t)(end - colon) - 1) == NULL)
        entry.length = (size_t)(colon - entry.data); /* one colon: IPv4 and a port */
    return ip_address_parse(entry, address);
}

/* Takes the last entry off a list; false when it is used up. */
static bool last_entry(struct span *list, struct span *entry)
{
    if (list->data == NULL)
        return false;
    const char *comma = list->length > 0 ? memrchr(list->data, ',', list->length) : NULL;
    size_t begin = comma != NULL ? (size_t)(comma - list->data) + 1 : 0;

    *entry = span_trim((struct span){list->data + begin, list->length - begin});
    *list = comma != NULL ? (struct span){list->data, begin - 1} : (struct span){NULL, 0};
    return true;
}

bool forwarded_client(const struct field *fields, size_t count, const struct networks *trusted,
                      struct ip_address *client)
{
    struct ip_address address;
    struct span entry;
    bool found = false;

    while (count-- > 0) {
        struct span list = fields[count].value;
        if (!span_equal_nocase(fields[count].name, SPAN("X-Forwarded-For")))
            continue;
        while (last_entry(&list, &entry)) {
            if (!read_entry(entry, &address))
                return found;
            *client = address;
            found = true;
            if (!networks_contain(trusted, &address))
                return true;
        }
    }
    return found;
}
