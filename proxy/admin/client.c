/* A connection to the admin listener: reads one request, writes one reply, closes. */
#include "proxy/admin/admin_internal.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
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
    (void)close(client->descriptor);
    people_forget(client);
    text_free(&client->content);
    text_free(&client->reply);
    explicit_bzero(client->request, sizeof client->request);
    free(client);
}

/* ---- the reply ---- */

/* To close at once with unread input would make the kernel reset the connection, and the reply with it. */
static void close_gently(struct admin_client *client)
{
    (void)event_del(&client->writable);
    (void)shutdown(client->descriptor, SHUT_WR);
}

static void send_reply(struct admin_client *client)
{
    while (client->sent < client->reply.length) {
        ssize_t count = send(client->descriptor, client->reply.data + client->sent,
                             client->reply.length - client->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) && event_add(&client->writable, NULL) == 0)
            return;
        if (count < 0) {
            admin_client_end(client);
            return;
        }
        client->sent += (size_t)count;
    }
    close_gently(client);
}

static void on_writable(evutil_socket_t descriptor, short what, void *arg)
{
    (void)descriptor;
    (void)what;
    send_reply(arg);
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

/* Judges the bytes from `at` on. */
static void judge(struct admin_client *client, size_t at)
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
        return;
    if (client->change == NULL)
        admin_client_reply(client);
    else
        (void)event_del(&client->readable);
}

static void on_readable(evutil_socket_t descriptor, short what, void *arg)
{
    struct admin_client *client = arg;
    size_t at = client->replied ? 0 : client->received;
    ssize_t count = recv(descriptor, client->request + at, sizeof client->request - at, 0);
    (void)what;

    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count <= 0) {
        admin_client_end(client); /* a client that says no more before its request is whole gets no reply */
        return;
    }
    if (!client->replied) {
        client->received += (size_t)count;
        judge(client, at);
        return;
    }
    client->drained += (size_t)count;
    if (client->drained > DRAIN_BYTES)
        admin_client_end(client);
}

static void on_deadline(evutil_socket_t descriptor, short what, void *arg)
{
    (void)descriptor;
    (void)what;
    admin_client_end(arg);
}

void admin_client_begin(struct admin *admin, int descriptor)
{
    const struct timeval deadline = {DEADLINE_S, 0};
    struct admin_client *client = calloc(1, sizeof *client);

    if (client == NULL) {
        (void)close(descriptor);
        return;
    }
    /* Who is served sends a request at once: it is those who only hold connections that stand first. */
    if (admin->client_count == ADMIN_CLIENTS)
        admin_client_end(TAILQ_FIRST(&admin->clients));
    client->admin = admin;
    client->descriptor = descriptor;
    wire_begin(&client->wire, admin->port != NULL ? &people_limits : &limits);
    TAILQ_INSERT_TAIL(&admin->clients, client, link);
    admin->client_count++;
    (void)event_assign(&client->readable, admin->base, descriptor, EV_READ | EV_PERSIST, on_readable, client);
    (void)event_assign(&client->writable, admin->base, descriptor, EV_WRITE | EV_PERSIST, on_writable,
                       client);
    (void)event_assign(&client->deadline, admin->base, -1, 0, on_deadline, client);
    if (event_add(&client->readable, NULL) != 0 || event_add(&client->deadline, &deadline) != 0)
        admin_client_end(client);
}
