/* What the files admin*.c share. */
#ifndef PROXY_ADMIN_ADMIN_INTERNAL_H
#define PROXY_ADMIN_ADMIN_INTERNAL_H

#include "proxy/admin/admin.h"
#include "proxy/admin/token.h"
#include "proxy/base/entropy.h"
#include "proxy/wire/wire.h"

#include <event2/event_struct.h>
#include <sys/queue.h>

#define ADMIN_CLIENTS 32   /* at a time; one more closes the oldest */
#define ADMIN_REQUEST 4096 /* bytes of a header */

struct evconnlistener;

/* One connection, for one request. */
struct admin_client {
    TAILQ_ENTRY(admin_client) link;
    struct admin *admin;
    int descriptor;
    struct event readable, writable, deadline;
    struct wire wire;
    char request[ADMIN_REQUEST + 64]; /* empty lines may stand before it; wiped: it may hold the token */
    size_t received;
    struct text reply;
    size_t sent, drained;
    bool replied;
};

TAILQ_HEAD(admin_clients, admin_client);

struct admin {
    const struct admin_view *view;
    struct event_base *base;
    struct evconnlistener *listener;
    struct event resume; /* accepting, after descriptors were out */
    struct admin_token token;
    struct entropy entropy;
    struct admin_clients clients; /* oldest first */
    unsigned client_count;
};

/* client.c: serves an accepted connection, which is taken over. */
void admin_client_begin(struct admin *admin, int descriptor);
void admin_client_end(struct admin_client *client);

/* page.c: appends the whole reply to a request that has been read to its end (`header`, without empty
 * lines before it, and how many fields it has), or that the grammar refused. */
void admin_answer(struct admin *admin, struct span header, size_t field_count, struct text *reply);
void admin_refuse(struct admin *admin, enum wire_fault fault, struct text *reply);

#endif
