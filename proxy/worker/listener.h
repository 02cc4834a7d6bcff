/* Listening sockets. Each worker has one of its own for every address (SO_REUSEPORT): the kernel spreads
 * connections, and no lock or hand-over is needed. */
#ifndef PROXY_WORKER_LISTENER_H
#define PROXY_WORKER_LISTENER_H

#include "proxy/config/config.h"

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

/* One listening socket of one worker, with an evhttp of its own: that is how a new connection tells where it
 * came in. */
struct listener {
    struct worker *worker;
    const struct config_listener *config;
    struct evhttp *http;
    struct evhttp_bound_socket *bound;
    struct evconnlistener *handle;
};

/* Serves the socket in the worker's loop, which takes the socket over, also on failure. Paused until
 * listener_pause(false). listener_free afterwards, also on failure. */
bool listener_open(struct listener *listener, struct worker *worker, const struct config_listener *config,
                   int socket);

/* Stops / resumes accepting; connections wait in the kernel's queue meanwhile. */
void listener_pause(struct listener *listener, bool pause);

/* Closes the socket; connections that came in by it go on. */
void listener_close(struct listener *listener);

/* Closes the socket and frees what listener_open made, with the connections. */
void listener_free(struct listener *listener);

#endif
