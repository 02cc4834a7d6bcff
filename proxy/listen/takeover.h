/* Taking over from a running gate, so that a new program or configuration comes into force and no connection
 * is lost: the running gate hands all listening sockets over a UNIX socket (its own among them), the new one
 * serves on them and says so, and the old one drains as after SIGTERM. Sockets are not bound anew, and what
 * the kernel queued at them is served.
 *
 * Both ends must be of the same user, or of root. Until the new gate has said that it serves, the old one
 * goes on as if nothing was asked. */
#ifndef PROXY_LISTEN_TAKEOVER_H
#define PROXY_LISTEN_TAKEOVER_H

#include "proxy/listen/sockets.h"

struct event_base;
struct takeover;

/* Where a gate listens at the path, takes the sockets of the same addresses over from it: groups of `sockets`
 * are filled. Otherwise listens at the path, for the next one. NULL with a message. */
struct takeover *takeover_open(const char *path, struct sockets *sockets, char *error, size_t error_size);

/* Were sockets taken over? NULL allowed. */
bool takeover_took(const struct takeover *takeover);

/* The workers serve: the old gate, if there is one, may stop. False with a message: it waited for that for
 * too long and goes on, so that this one must end. NULL allowed. */
bool takeover_serves(struct takeover *takeover, char *error, size_t error_size);

/* Waits in the base's loop for another gate that wants to take over, and calls taken(arg) when it serves.
 * False when memory is out. NULL allowed. */
typedef void takeover_done(void *arg);
bool takeover_watch(struct takeover *takeover, struct event_base *base, takeover_done *taken, void *arg);

/* Waits no longer; whoever was about to take over finds the connection closed. NULL allowed. */
void takeover_ignore(struct takeover *takeover);

/* Has another gate the sockets, or was it given them when the wait ended? Their files are not ours then. */
bool takeover_given(const struct takeover *takeover);

/* Closes; removes the socket's file if it is still ours. Before the loop's base is freed. */
void takeover_close(struct takeover *takeover);

#endif
