#include "policies/authority.h"

#include "policies/ascii.h"

#include <arpa/inet.h>

#define NAME_LONGEST 255

static bool is_ipv6(struct span text)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (text.length >= sizeof copy || memchr(text.data, '\0', text.length) != NULL)
        return false;
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    return inet_pton(AF_INET6, copy, &address) == 1;
}

static bool is_name(struct span text)
{
    return text.length > 0 && text.length <= NAME_LONGEST && ascii_run(text, ASCII_UNRESERVED) == text.length;
}

/* `text` is what follows the host: nothing, or a colon and a port that may be empty. */
static bool read_port(struct span text, unsigned *port)
{
    *port = 0;
    if (text.length <= 1)
        return text.length == 0 || text.data[0] == ':';
    if (text.data[0] != ':' || text.length > 6 || text.data[1] == '0')
        return false;
    for (size_t i = 1; i < text.length; i++) {
        if (!ascii_is_digit(text.data[i]))
            return false;
        *port = *port * 10 + (unsigned)(text.data[i] - '0');
    }
    return *port <= 65535;
}

bool authority_read(struct span text, struct authority *authority)
{
    bool literal = text.length > 0 && text.data[0] == '[';
    const char *end = text.length > 0 ? memchr(text.data, literal ? ']' : ':', text.length) : NULL;

    if (literal && end == NULL)
        return false;

    size_t length = end == NULL ? text.length : (size_t)(end - text.data) + (literal ? 1 : 0);
    authority->host = (struct span){text.data, length};
    if (literal ? !is_ipv6((struct span){text.data + 1, length - 2}) : !is_name(authority->host))
        return false;
    return read_port((struct span){text.data + length, text.length - length}, &authority->port);
}

bool authority_equal(const struct authority *a, const struct authority *b, unsigned default_port)
{
    unsigned port_a = a->port > 0 ? a->port : default_port;
    unsigned port_b = b->port > 0 ? b->port : default_port;

    return port_a == port_b && span_equal_nocase(a->host, b->host);
}
