/* A listening socket in a worker's loop. Each worker has one of its own for every address (SO_REUSEPORT): the
 * kernel spreads connections, and no lock or hand-over is needed. */
#ifndef PROXY_WORKER_LISTENER_H
#define PROXY_WORKER_LISTENER_H

#include "proxy/config/config.h"

struct event_base;
struct evconnlistener;
struct evhttp;
struct evhttp_bound_socket;
struct worker;

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
