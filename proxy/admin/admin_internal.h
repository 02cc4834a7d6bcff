/* What the files admin*.c share. */
#ifndef PROXY_ADMIN_ADMIN_INTERNAL_H
#define PROXY_ADMIN_ADMIN_INTERNAL_H

#include "policies/network.h"
#include "policies/refusal.h"
#include "proxy/admin/admin.h"
#include "proxy/admin/token.h"
#include "proxy/base/entropy.h"
#include "proxy/net/transport.h"
#include "proxy/tls/peer_names.h"
#include "proxy/wire/wire.h"

#include <event2/event_struct.h>
#include <sys/queue.h>

#define ADMIN_CLIENTS 32   /* at a time; one more closes another, see client.c */
#define ADMIN_REQUEST 4096 /* bytes of a header */
#define ADMIN_CONTENT 4096 /* bytes of content, at the listener for approvals */

struct evconnlistener;
struct people_change;

/* One connection, for one request. */
struct admin_client {
    TAILQ_ENTRY(admin_client) link;
    struct admin *admin;
    struct transport transport;
    struct ip_address host;   /* that it comes from, as address_count_key has it; zero: no such */
    bool shaking;             /* hands, by TLS */
    struct peer_names *names; /* in the certificate that it showed; NULL: none */
    struct event readable, writable, deadline;
    struct wire wire;
    char request[ADMIN_REQUEST + ADMIN_CONTENT + 64]; /* empty lines may stand before it; wiped: it may hold
                                                         a token */
    struct text content;                              /* of the request, without its framing */
    struct people_change *change;                     /* that waits for the journal; NULL: none */
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
    struct event resume;       /* accepting, after descriptors were out or very many came */
    struct journal_port *port; /* NULL: the admin listener; otherwise the one for approvals */
    struct admin_token token;
    struct entropy entropy;
    struct admin_clients clients; /* oldest first */
    unsigned client_count;
    unsigned accepted; /* since the loop had its turn */
};

/* client.c: serves an accepted connection, which is taken over. */
void admin_client_begin(struct admin *admin, int descriptor);
void admin_client_end(struct admin_client *client);

/* client.c: sends what is in `reply`, for a request that had to wait. */
void admin_client_reply(struct admin_client *client);

/* page.c: appends the whole reply to a request that has been read to its end (`header`, without empty
 * lines before it, and how many fields it has), or that the grammar refused. */
void admin_answer(struct admin *admin, struct span header, size_t field_count, struct text *reply);
void admin_refuse(struct admin *admin, enum wire_fault fault, struct text *reply);

/* page.c: the head's last fields and the body, behind status line and other fields; a refusal's document. */
void admin_add_body(struct text *reply, const char *type, const struct text *body, bool with_body);
void admin_add_refusal(struct admin *admin, const struct refusal *refusal, bool with_body,
                       struct text *reply);

/* people.c: answers at the listener for approvals. Where there is no reply yet the client has a `change`, and
 * admin_client_reply follows. people_forget: the client goes away before. */
void people_answer(struct admin_client *client, struct span header, size_t field_count);
void people_forget(struct admin_client *client);

#endif
