#include "proxy/net/peer.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

static void of_unix_socket(int fd, struct peer *peer)
{
    struct ucred credentials;
    socklen_t size = sizeof credentials;

    peer_of_local(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0)
        (void)snprintf(peer->text, sizeof peer->text, "unix:uid=%u,pid=%d", (unsigned)credentials.uid,
                       (int)credentials.pid);
}

void peer_of_socket(int fd, struct peer *peer)
{
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
        struct sockaddr_storage room;
    } from = {.any = {0}};
    socklen_t size = sizeof from;
    struct ip_address address;

    *peer = (struct peer){.kind = PEER_UNKNOWN, .text = "unknown"};
    if (getpeername(fd, &from.any, &size) != 0)
        return;
    if (from.any.sa_family == AF_UNIX) {
        of_unix_socket(fd, peer);
    } else if (from.any.sa_family == AF_INET) {
        address = ip_address_of((const unsigned char *)&from.four.sin_addr, sizeof from.four.sin_addr);
        peer_of_address(&address, peer);
    } else if (from.any.sa_family == AF_INET6) {
        address = ip_address_of((const unsigned char *)&from.six.sin6_addr, sizeof from.six.sin6_addr);
        peer_of_address(&address, peer);
    }
}

void peer_of_address(const struct ip_address *address, struct peer *peer)
{
    peer->kind = PEER_IP;
    peer->address = *address;
    ip_address_write(address, peer->text);
}

void peer_of_local(struct peer *peer)
{
    *peer = (struct peer){.kind = PEER_LOCAL, .text = "unix"};
}

bool peer_is_trusted(const struct peer *peer, const struct networks *trusted)
{
    switch (peer->kind) {
    case PEER_IP:
        return networks_contain(trusted, &peer->address);
    case PEER_LOCAL:
        return trusted->local;
    case PEER_UNKNOWN:
        return false;
    }
    return false;
}

struct span peer_forwarded(struct span text)
{
    static const struct span local = SPAN_INIT("unix");
    bool named = text.length >= local.length && memcmp(text.data, local.data, local.length) == 0;

    return named ? SPAN("unknown") : text;
}
