#include "proxy/config/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#define SYSLOG_PORT 6514 /* of syslog over TLS (RFC 5425 §4.1) */

static const char *read_socket(const char *path, struct place_syslog *place)
{
    if (path[0] != '/')
        return "must name its socket by an absolute path, as in \"unix:/dev/log\"";
    if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path)
        return "has a path that is longer than a socket's may be (107 bytes)";
    place->path = path;
    return NULL;
}

/* Was a port written? */
static bool has_port(const char *authority)
{
    const char *close = strchr(authority, ']');

    return strchr(close != NULL ? close : authority, ':') != NULL;
}

const char *place_syslog_parse(const char *text, struct place_syslog *place)
{
    static const char tls[] = "tls://";
    const char *authority = text + sizeof tls - 1;
    char *url = NULL;

    *place = (struct place_syslog){0};
    if (strncmp(text, "unix:", 5) == 0)
        return read_socket(text + 5, place);
    if (strncasecmp(text, tls, sizeof tls - 1) != 0)
        return "must begin with unix: or tls://";
    if (asprintf(&url, "https://%s", authority) < 0)
        return "cannot be kept: memory is out";
    const char *wrong = origin_parse(url, &place->origin);
    if (wrong == NULL && !has_port(authority))
        place->origin.port = SYSLOG_PORT;
    free(url);
    return wrong;
}

void place_syslog_free(struct place_syslog *place)
{
    origin_free(&place->origin);
    *place = (struct place_syslog){0};
}

/* The part of a URL behind host and port; "" when there is none. */
static const char *rest_of(const char *url)
{
    const char *authority = strstr(url, "://");

    return authority != NULL ? authority + 3 + strcspn(authority + 3, "/?#\\") : "";
}

static const char *target_fault(const char *rest)
{
    for (const char *at = rest; *at != '\0'; at++)
        if (*at <= ' ' || *at > '~' || strchr("#\\\"<>^`{|}", *at) != NULL)
            return "has a path that holds a character that no URL may hold there, or a fragment";
    return NULL;
}

const char *place_webhook_parse(const char *text, struct place_webhook *place)
{
    const char *rest = rest_of(text), *wrong = target_fault(rest);
    char *server = strndup(text, (size_t)(rest - text));

    *place = (struct place_webhook){0};
    if (*rest == '\0' && strstr(text, "://") == NULL)
        wrong = "must begin with https:// or http://";
    else if (server == NULL || asprintf(&place->target, "%s%s", *rest == '/' ? "" : "/", rest) < 0)
        wrong = "cannot be kept: memory is out";
    else if (wrong == NULL)
        wrong = origin_parse(server, &place->origin);
    if (wrong == NULL && !place->origin.tls && !host_is_loopback(place->origin.host))
        wrong = "must begin with https://: the journal may not cross the network in clear";
    free(server);
    if (wrong != NULL)
        place_webhook_free(place);
    return wrong;
}

void place_webhook_free(struct place_webhook *place)
{
    origin_free(&place->origin);
    free(place->target);
    *place = (struct place_webhook){0};
}
