/* Who is at the other end of a connection: its own peer, or the one that a trusted proxy names. */
#ifndef PROXY_NET_PEER_H
#define PROXY_NET_PEER_H

#include "policies/network.h"

enum peer_kind {
    PEER_UNKNOWN,
    PEER_IP,
    PEER_LOCAL, /* of a UNIX socket */
};

struct peer {
    enum peer_kind kind;
    struct ip_address address;  /* PEER_IP */
    char text[IP_ADDRESS_TEXT]; /* as logs show it: the address, "unix:uid=1000,pid=4242", "unix" or
                                    "unknown" */
};

/* The peer of a connected socket. */
void peer_of_socket(int fd, struct peer *peer);

/* What a proxy says. */
void peer_of_address(const struct ip_address *address, struct peer *peer);
void peer_of_local(struct peer *peer);

/* Is the peer's word believed? */
bool peer_is_trusted(const struct peer *peer, const struct networks *trusted);

/* A peer's text as X-Forwarded-For has it: other names than addresses are nobody's business. */
struct span peer_forwarded(struct span text);

#endif
