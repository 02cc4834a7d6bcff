/* A connection to the admin listener: reads one request, writes one reply, closes. */
#include "proxy/admin/admin_internal.h"

#include "proxy/limits/address_count.h"
#include "proxy/net/peer.h"
#include "proxy/observe/counters.h"
#include "proxy/tls/server.h"

#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

#define DEADLINE_S  5     /* for all of it */
#define DRAIN_BYTES 65536 /* thrown away behind the request, so that the reply can be read */

static const struct wire_limits limits = {
    .header_bytes = ADMIN_REQUEST, .header_fields = 64, .target_bytes = 256, .body_bytes = 0};
static const struct wire_limits people_limits = {
    .header_bytes = ADMIN_REQUEST, .header_fields = 64, .target_bytes = 256, .body_bytes = ADMIN_CONTENT};

void admin_client_end(struct admin_client *client)
{
    struct admin *admin = client->admin;

    TAILQ_REMOVE(&admin->clients, client, link);
    admin->client_count--;
    (void)event_del(&client->readable);
    (void)event_del(&client->writable);
    (void)event_del(&client->deadline);
    transport_close(&client->transport, false);
    people_forget(client);
    free(client->names);
    text_free(&client->content);
    text_free(&client->reply);
    explicit_bzero(client->request, sizeof client->request);
    free(client);
}

/* Before it has its reply. */
static void give_up(struct admin_client *client)
{
    if (!client->replied)
        COUNT(client->admin->view->service, admin_given_up);
    admin_client_end(client);
}

/* ---- the reply ---- */

/* To close at once with unread input would make the kernel reset the connection, and the reply with it. */
static void close_gently(struct admin_client *client)
{
    if (transport_finish(&client->transport) == TRANSPORT_WANTS_WRITE)
        (void)event_add(&client->writable, NULL);
    else
        (void)event_del(&client->writable);
}

static void send_reply(struct admin_client *client)
{
    while (client->sent < client->reply.length) {
        size_t taken = 0;
        enum transport_result result = transport_write(&client->transport, client->reply.data + client->sent,
                                                       client->reply.length - client->sent, &taken);
        client->sent += taken;
        if (result == TRANSPORT_WANTS_WRITE && event_add(&client->writable, NULL) == 0)
            return;
        if (result != TRANSPORT_DONE) {
            admin_client_end(client);
            return;
        }
    }
    close_gently(client);
}

void admin_client_reply(struct admin_client *client)
{
    (void)event_add(&client->readable, NULL);
    explicit_bzero(client->request, sizeof client->request);
    client->replied = true;
    if (client->reply.failed)
        admin_client_end(client);
    else
        send_reply(client);
}

/* ---- the request ---- */

/* Empty lines may stand before a request (RFC 9112 §2.2); the grammar has judged them. */
static struct span header_of(const struct admin_client *client)
{
    struct span header = {client->request, client->received};

    while (header.length > 0 && (header.data[0] == '\r' || header.data[0] == '\n')) {
        header.data++;
        header.length--;
    }
    return header;
}

/* Judges the bytes from `at` on. True when more must come; otherwise the client may be gone. */
static bool judge(struct admin_client *client, size_t at)
{
    struct wire *wire = &client->wire;

    bool people = client->admin->port != NULL;
    while (at < client->received && wire->state < (people ? WIRE_COMPLETE : WIRE_BODY)) {
        struct span data, rest = {client->request + at, client->received - at};
        at += wire_read(wire, rest, &data);
        if (data.length > 0)
            text_add(&client->content, data.data, data.length);
    }
    if (wire->state == WIRE_REFUSED)
        admin_refuse(client->admin, wire->fault, &client->reply);
    else if (wire->state == WIRE_BODY && (!people || client->received == sizeof client->request))
        admin_refuse(client->admin, WIRE_FAULT_BODY_LARGE, &client->reply);
    else if (wire->state == WIRE_COMPLETE && people)
        people_answer(client, header_of(client), wire_field_count(wire));
    else if (wire->state == WIRE_COMPLETE)
        admin_answer(client->admin, header_of(client), wire_field_count(wire), &client->reply);
    else if (client->received == sizeof client->request)
        admin_refuse(client->admin, WIRE_FAULT_HEADER_LARGE, &client->reply);
    else
        return true;
    if (client->change == NULL)
        admin_client_reply(client);
    else
        (void)event_del(&client->readable);
    return false;
}

/* Ends it unless the transport only has to wait; true when it need not. */
static bool is_done(struct admin_client *client, enum transport_result result)
{
    if (result == TRANSPORT_DONE)
        return true;
    if (result == TRANSPORT_ENDED || result == TRANSPORT_BROKEN)
        give_up(client); /* one that says no more before its request is whole gets no reply */
    else if (result == TRANSPORT_WANTS_WRITE)
        (void)event_add(&client->writable, NULL);
    else if (!client->replied)
        (void)event_del(&client->writable);
    return false;
}

/* Once; true when more may be there, false when it has to come, or the client may be gone. */
static bool read_some(struct admin_client *client)
{
    size_t at = client->replied ? 0 : client->received, count = 0;

    if (!is_done(client, transport_read(&client->transport, client->request + at, sizeof client->request - at,
                                        &count)))
        return false;
    if (!client->replied) {
        client->received += count;
        return judge(client, at);
    }
    client->drained += count;
    if (client->drained <= DRAIN_BYTES)
        return true;
    admin_client_end(client);
    return false;
}

/* For what TLS has taken from the socket no event comes. */
static void read_on(struct admin_client *client)
{
    while (read_some(client) && transport_holds(&client->transport))
        continue;
}

/* Whoever fails here, or has a certificate whose names cannot be kept, gets no word but TLS's own. */
static void shake(struct admin_client *client)
{
    bool failed = false;

    if (!is_done(client, transport_handshake(&client->transport)))
        return;
    (void)event_del(&client->writable);
    client->shaking = false;
    client->names = tls_server_peer(&client->transport, &failed);
    if (failed)
        give_up(client);
    else
        read_on(client);
}

static void on_readable(evutil_socket_t descriptor, short what, void *arg)
{
    struct admin_client *client = arg;
    (void)descriptor;
    (void)what;

    if (client->shaking)
        shake(client);
    else
        read_on(client);
}

static void on_writable(evutil_socket_t descriptor, short what, void *arg)
{
    struct admin_client *client = arg;
    (void)descriptor;
    (void)what;

    if (client->shaking) {
        shake(client);
    } else if (client->replied) {
        send_reply(client);
    } else { /* TLS had to write before it reads on */
        (void)event_del(&client->writable);
        read_on(client);
    }
}

static void start_deadline(struct admin_client *client)
{
    const struct timeval deadline = {DEADLINE_S, 0};

    if (event_add(&client->deadline, &deadline) != 0)
        admin_client_end(client);
}

/* What waits for the journal is answered when the journal has spoken: it will be in force, and who asked for
 * it must not have to guess. */
static void on_deadline(evutil_socket_t descriptor, short what, void *arg)
{
    struct admin_client *client = arg;
    (void)descriptor;
    (void)what;

    if (client->change != NULL)
        start_deadline(client);
    else
        give_up(client);
}

/* ---- room ---- */

static unsigned count_of_host(const struct admin_client *client)
{
    const struct admin_client *other;
    unsigned count = 0;

    TAILQ_FOREACH (other, &client->admin->clients, link)
        count += memcmp(&other->host, &client->host, sizeof client->host) == 0;
    return count;
}

/* Ends the oldest connection of the host that has most, but none that waits for the journal: who is served
 * sends a request at once, so it is those who only hold connections that go, and one host keeps no other out.
 * False: all of them wait. */
static bool make_room(struct admin *admin)
{
    struct admin_client *client, *chosen = NULL;
    unsigned most = 0;

    TAILQ_FOREACH (client, &admin->clients, link) {
        unsigned count = client->change == NULL ? count_of_host(client) : 0;

        if (count > most) {
            most = count;
            chosen = client;
        }
    }
    if (chosen != NULL)
        give_up(chosen);
    return chosen != NULL;
}

static struct ip_address host_of(int descriptor)
{
    struct peer peer;

    peer_of_socket(descriptor, &peer);
    return peer.kind == PEER_IP ? address_count_key(&peer.address) : (struct ip_address){{0}};
}

void admin_client_begin(struct admin *admin, int descriptor)
{
    bool room = admin->client_count < ADMIN_CLIENTS || make_room(admin);
    struct admin_client *client = room ? calloc(1, sizeof *client) : NULL;

    if (client == NULL) {
        COUNT(admin->view->service, admin_given_up);
        (void)close(descriptor);
        return;
    }
    client->admin = admin;
    client->host = host_of(descriptor);
    client->transport.fd = descriptor;
    wire_begin(&client->wire, admin->port != NULL ? &people_limits : &limits);
    TAILQ_INSERT_TAIL(&admin->clients, client, link);
    admin->client_count++;
    (void)event_assign(&client->readable, admin->base, descriptor, EV_READ | EV_PERSIST, on_readable, client);
    (void)event_assign(&client->writable, admin->base, descriptor, EV_WRITE | EV_PERSIST, on_writable,
                       client);
    (void)event_assign(&client->deadline, admin->base, -1, 0, on_deadline, client);
    client->shaking = admin->port != NULL && admin->view->service->config->approvals.tls;
    if ((client->shaking && !tls_server_attach(admin->view->service->tls, &client->transport)) ||
        event_add(&client->readable, NULL) != 0)
        give_up(client);
    else
        start_deadline(client);
}
