#include "proxy/config/value.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#define OUT_OF_MEMORY "memory is out"

/* Host and port as "host:port", "[v6]:port" or without the port. */
struct server {
    struct span host; /* without brackets */
    struct span port; /* data NULL without one */
    bool bracketed;
};

/* Takes a span apart; false when the brackets or what follows them are wrong. */
static bool server_split(struct span text, struct server *server)
{
    const char *end = text.data + text.length, *colon = NULL;

    *server = (struct server){.host = text};
    if (text.length > 0 && text.data[0] == '[') {
        const char *close = memchr(text.data, ']', text.length);
        if (close == NULL || (close + 1 < end && close[1] != ':'))
            return false;
        server->bracketed = true;
        server->host = (struct span){text.data + 1, (size_t)(close - text.data) - 1};
        colon = close + 1 < end ? close + 1 : NULL;
    } else if (text.length > 0) {
        colon = memchr(text.data, ':', text.length);
        server->host.length = colon ? (size_t)(colon - text.data) : text.length;
    }
    if (colon != NULL)
        server->port = (struct span){colon + 1, (size_t)(end - colon) - 1};
    return true;
}

/* A decimal port without leading zeros. */
static bool port_parse(struct span text, uint16_t *port)
{
    unsigned value = 0;

    if (text.length == 0 || text.length > 5 || (text.data[0] == '0' && text.length > 1))
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text.data[i] - '0');
    }
    *port = (uint16_t)value;
    return value <= UINT16_MAX;
}

static bool is_literal(int family, const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];

    return inet_pton(family, host, bytes) == 1;
}

/* A DNS name: labels of letters, digits and inner hyphens; the last one not a number, which would be a sloppy
 * IPv4 address. */
static bool is_name(const char *host)
{
    size_t length = 0;
    bool number = true;

    if (strlen(host) > 253)
        return false;
    for (const char *at = host;; at++) {
        char c = ascii_lower(*at);
        if (c == '.' || c == '\0') {
            if (length == 0 || length > 63 || at[-1] == '-')
                return false;
            if (c == '\0')
                return !number;
            length = 0;
            number = true;
            continue;
        }
        bool digit = c >= '0' && c <= '9';
        if (!digit && !(c >= 'a' && c <= 'z') && !(c == '-' && length > 0))
            return false;
        number = number && digit;
        length++;
    }
}

/* A lower-case copy of the span. */
static char *lowered(struct span text)
{
    char *copy = malloc(text.length + 1);

    if (copy == NULL)
        return NULL;
    for (size_t i = 0; i < text.length; i++)
        copy[i] = ascii_lower(text.data[i]);
    copy[text.length] = '\0';
    return copy;
}

/* "host" or "host:port", brackets put back. */
static char *authority_of(const struct origin *origin, bool bracketed)
{
    char port[8] = "", *authority = NULL;

    if (origin->port != (origin->tls ? 443 : 80))
        (void)snprintf(port, sizeof port, ":%u", origin->port);
    if (asprintf(&authority, "%s%s%s%s", bracketed ? "[" : "", origin->host, bracketed ? "]" : "", port) < 0)
        return NULL;
    return authority;
}

static const char *origin_fill(struct span text, struct origin *origin)
{
    struct server server;

    if (memchr(text.data, '@', text.length) != NULL)
        return "must hold no user name and no password";
    if (!server_split(text, &server))
        return "has wrong brackets around its host";
    origin->port = origin->tls ? 443 : 80;
    if (server.port.data != NULL && (!port_parse(server.port, &origin->port) || origin->port == 0))
        return "has a port that is not a number from 1 to 65535";
    origin->host = lowered(server.host);
    if (origin->host == NULL)
        return OUT_OF_MEMORY;
    if (server.bracketed ? !is_literal(AF_INET6, origin->host)
                         : !is_literal(AF_INET, origin->host) && !is_name(origin->host))
        return "has a host that is neither a name nor an IPv4 or [IPv6] address";
    origin->authority = authority_of(origin, server.bracketed);
    return origin->authority ? NULL : OUT_OF_MEMORY;
}

const char *origin_parse(const char *text, struct origin *origin)
{
    *origin = (struct origin){.tls = strncasecmp(text, "https://", 8) == 0};
    if (!origin->tls && strncasecmp(text, "http://", 7) != 0)
        return "must begin with https:// or http://";

    const char *authority = text + (origin->tls ? 8 : 7);
    size_t length = strcspn(authority, "/?#\\");
    const char *rest = authority + length;
    if (rest[0] != '\0' && strcmp(rest, "/") != 0)
        return "must end behind its host and port: no path, query or fragment";

    const char *wrong = origin_fill((struct span){authority, length}, origin);
    if (wrong != NULL)
        origin_free(origin);
    return wrong;
}

void origin_free(struct origin *origin)
{
    free(origin->host);
    free(origin->authority);
    *origin = (struct origin){0};
}

const char *address_parse(const char *text, struct config_address *address)
{
    struct server server;
    uint16_t port;

    *address = (struct config_address){0};
    if (!server_split(span_of(text), &server))
        return "has wrong brackets around its address";
    if (server.port.data == NULL)
        return "has no port: write it as in \"127.0.0.1:8080\" or \"[::1]:8080\"";

    char *host = lowered(server.host), *copy = strdup(text);
    const char *wrong = NULL;
    if (host == NULL || copy == NULL)
        wrong = OUT_OF_MEMORY;
    else if (!is_literal(server.bracketed ? AF_INET6 : AF_INET, host))
        wrong =
            "is not a literal address such as \"127.0.0.1:8080\" or \"[::1]:8080\"; names are not looked up";
    else if (!port_parse(server.port, &port))
        wrong = "has a port that is not a number from 0 to 65535";
    if (wrong != NULL) {
        free(host);
        free(copy);
        return wrong;
    }
    *address = (struct config_address){.text = copy, .host = host, .port = port};
    return NULL;
}

/* Behind "unix:": what fits into a sockaddr_un, and leads to the same file from wherever the gate is started.
 */
static const char *path_fault(const char *path)
{
    if (path[0] != '/' || path[strlen(path) - 1] == '/')
        return "must name a UNIX socket by an absolute path, as in \"unix:/run/portcullis/portcullis.sock\"";
    return strlen(path) < sizeof((struct sockaddr_un *)NULL)->sun_path
               ? NULL
               : "has a path that is too long for a UNIX socket: it holds 107 bytes at most";
}

/* Behind "systemd:": FileDescriptorName= of a socket unit (systemd.socket(5)). */
static const char *unit_name_fault(const char *name)
{
    size_t length = strlen(name);
    bool right = length > 0 && length < 256;

    for (size_t i = 0; i < length; i++)
        right = right && name[i] > ' ' && name[i] <= '~' && name[i] != ':';
    return right ? NULL
                 : "must name a socket as its unit's FileDescriptorName does: visible ASCII without a colon";
}

const char *address_parse_any(const char *text, struct config_address *address)
{
    static const struct {
        const char *prefix;
        enum address_kind kind;
        const char *(*fault)(const char *rest);
    } kinds[] = {{"unix:", ADDRESS_UNIX, path_fault}, {"systemd:", ADDRESS_SYSTEMD, unit_name_fault}};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t length = strlen(kinds[i].prefix);
        if (strncmp(text, kinds[i].prefix, length) != 0)
            continue;
        *address = (struct config_address){0};
        const char *fault = kinds[i].fault(text + length);
        if (fault != NULL)
            return fault;
        *address = (struct config_address){
            .text = strdup(text), .kind = kinds[i].kind, .host = strdup(text + length)};
        if (address->text != NULL && address->host != NULL)
            return NULL;
        address_free(address);
        return OUT_OF_MEMORY;
    }
    return address_parse(text, address);
}

void address_free(struct config_address *address)
{
    free(address->text);
    free(address->host);
    *address = (struct config_address){0};
}

bool name_is_right(const char *text)
{
    size_t length = strlen(text);

    for (size_t i = 0; i < length; i++)
        if (text[i] <= ' ' || text[i] > '~' || text[i] == '+')
            return false;
    return length > 0 && length < 256;
}

bool host_is_literal(const char *host)
{
    return is_literal(AF_INET, host) || is_literal(AF_INET6, host);
}

bool host_is_loopback(const char *host)
{
    struct in_addr four;
    struct in6_addr six;

    if (inet_pton(AF_INET, host, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &six) == 1)
        return IN6_IS_ADDR_LOOPBACK(&six);
    return strcmp(host, "localhost") == 0;
}
