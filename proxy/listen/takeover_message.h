/* What two gates say to each other over a SOCK_SEQPACKET socket when one takes over from the other. The old
 * one: one message for each socket, with its descriptor (unix(7), SCM_RIGHTS), then TAKEOVER_END. The new
 * one, when it serves: TAKEOVER_SERVES. The old one, when it waited for that for too long: TAKEOVER_GOES_ON.
 */
#ifndef PROXY_LISTEN_TAKEOVER_MESSAGE_H
#define PROXY_LISTEN_TAKEOVER_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#define TAKEOVER_VERSION 1

enum takeover_kind {
    TAKEOVER_LISTENER, /* a socket of a listener */
    TAKEOVER_ADMIN,    /* of the admin listener */
    TAKEOVER_OWN,      /* the one at which gates ask to take over */
    TAKEOVER_END,
    TAKEOVER_SERVES,
    TAKEOVER_GOES_ON,
    TAKEOVER_APPROVALS, /* a socket of the listener for approvals */
    TAKEOVER_KINDS
};

struct takeover_message {
    uint32_t version;
    uint32_t kind;
    uint32_t group;    /* which listener of the old gate; sockets of one come one behind the other */
    char address[300]; /* as its configuration names it */
};

/* Sends one message, with a descriptor where fd is not negative. Blocks for a moment at most. */
bool takeover_send(int socket, const struct takeover_message *message, int fd);

/* Receives one; *fd is -1 without a descriptor. False: the other end is gone, does not speak this version, or
 * did not answer in time; errno is then 0 for the first, EPROTO, or EAGAIN. */
bool takeover_receive(int socket, struct takeover_message *message, int *fd);

/* Is the process at the other end of this user, or of root? */
bool takeover_is_allowed(int socket);

#endif
