/* One link: does it point at the upstream? */
#include "policies/authority.h"
#include "policies/links_internal.h"

#define HTTP_PORT  80u
#define HTTPS_PORT 443u

/* Browsers take a backslash for a slash. */
static bool is_slash(char c)
{
    return c == '/' || c == '\\';
}

static struct span behind(struct span text, size_t length)
{
    return (struct span){text.data + length, text.length - length};
}

static bool begins(struct span text, const char *prefix)
{
    size_t length = strlen(prefix);

    return text.length >= length && span_equal_nocase((struct span){text.data, length}, span_of(prefix));
}

/* Where the authority of an absolute link or network-path begins; 0 for any other link. *port is the port
 * that the scheme implies, 0 without a scheme. */
static size_t find_authority(struct span link, unsigned *port)
{
    size_t at = 0, slashes = 0;

    while (at < link.length && (unsigned char)link.data[at] <= ' ')
        at++;
    *port = begins(behind(link, at), "http:")    ? HTTP_PORT
            : begins(behind(link, at), "https:") ? HTTPS_PORT
                                                 : 0;
    at += *port == HTTP_PORT ? strlen("http:") : *port == HTTPS_PORT ? strlen("https:") : 0;
    for (; at < link.length && is_slash(link.data[at]); at++)
        slashes++;
    return *port > 0 || slashes >= 2 ? at : 0;
}

/* Brackets and the dot that ends an absolute name make no other host of it. */
static struct span bare_host(struct span host)
{
    if (host.length >= 2 && host.data[0] == '[')
        return (struct span){host.data + 1, host.length - 2};
    if (host.length > 1 && host.data[host.length - 1] == '.')
        host.length--;
    return host;
}

static bool is_upstream(struct span text, unsigned scheme_port, const struct links_origin *from)
{
    struct authority authority;
    const char *at = text.length > 0 ? memrchr(text.data, '@', text.length) : NULL;

    if (at != NULL)
        text = behind(text, (size_t)(at - text.data) + 1);
    if (!authority_read(text, &authority) ||
        !span_equal_nocase(bare_host(authority.host), bare_host(from->host)))
        return false;

    bool default_there = from->port == (from->tls ? HTTPS_PORT : HTTP_PORT);
    bool default_here = authority.port == 0 || authority.port == scheme_port;
    return (default_here && default_there) ||
           (authority.port > 0 ? authority.port : scheme_port) == from->port;
}

size_t link_origin(struct span link, const struct links_origin *from)
{
    unsigned port = 0;
    size_t start = find_authority(link, &port), end = start;

    if (start == 0)
        return 0;
    while (end < link.length && !is_slash(link.data[end]) && link.data[end] != '?' && link.data[end] != '#')
        end++;
    return is_upstream((struct span){link.data + start, end - start}, port, from) ? end : 0;
}

bool link_rewrite(struct span link, const struct links_origin *from, const char *to, struct text *out)
{
    size_t length = link_origin(link, from);

    if (length == 0)
        return false;
    text_add_string(out, to);
    text_add(out, link.data + length, link.length - length);
    return true;
}
