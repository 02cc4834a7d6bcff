/* Listening sockets. Each worker has one of its own for every address (SO_REUSEPORT): the kernel spreads
 * connections, and no lock or hand-over is needed. */
#ifndef PROXY_LISTENER_H
#define PROXY_LISTENER_H

#include "proxy/config.h"

struct event_base;
struct evconnlistener;
struct evhttp;
struct evhttp_bound_socket;
struct worker;

/* Does nobody listen at the address yet? SO_REUSEPORT would let a second gate of the same user take half of
 * the first one's clients, and neither would notice. false with a message. */
bool listener_is_free(const struct config_address *address, char *error, size_t error_size);

/* Binds and listens; `port` replaces the address's own (for the second worker of an address with port 0). -1
 * with a message. */
int listener_socket(const struct config_address *address, uint16_t port, unsigned backlog, char *error,
                    size_t error_size);

/* The port that a socket is really bound to; 0 when it cannot be told. */
uint16_t listener_port(int socket);

/* One listening socket of one worker. */
struct listener {
    struct evhttp_bound_socket *bound;
    struct evconnlistener *handle;
};

/* Gives the socket to the worker's evhttp. The socket is taken over when true is returned. Paused until
 * listener_pause(false). */
bool listener_open(struct listener *listener, struct worker *worker, int socket);

/* Stops / resumes accepting; connections wait in the kernel's queue meanwhile. */
void listener_pause(struct listener *listener, bool pause);

/* Closes the socket. */
void listener_close(struct listener *listener, struct evhttp *http);

#endif
