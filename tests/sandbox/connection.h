/* The connections of clients, and what they share. One thread, one event loop. */
#ifndef SANDBOX_CONNECTION_H
#define SANDBOX_CONNECTION_H

#include "tests/sandbox/api.h"
#include "tests/sandbox/ledger.h"

#include <event2/util.h>
#include <openssl/ssl.h>
#include <sys/queue.h>

struct connection;
struct event_base;

struct service {
    struct event_base *base;
    SSL_CTX *tls; /* NULL: plain text */
    struct api api;
    struct ledger ledger;
    struct stamp stamp;
    struct answer
        answer; /* the one being made; an answer is on its way or in a connection before the next is begun */
    uint64_t last_connection;
    LIST_HEAD(, connection) connections;
};

/* Takes over an accepted socket; closes it when that fails. */
void connection_open(struct service *service, evutil_socket_t socket);

/* Closes all connections at once. */
void connection_close_all(struct service *service);

#endif
