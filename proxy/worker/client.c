#include "proxy/worker/client.h"

#include "proxy/worker/exchange.h"
#include "proxy/worker/incoming.h"
#include "proxy/worker/listener.h"
#include "proxy/worker/worker.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

static void on_start(int descriptor, short what, void *arg);
static void on_evhttp_close(struct evhttp_connection *connection, void *arg);

bool client_prepare(struct worker *worker)
{
    if (worker->spare != NULL)
        return true;

    struct client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return false;
    client->bufferevent = bufferevent_socket_new(worker->base, -1, 0);
    if (client->bufferevent == NULL) {
        free(client);
        return false;
    }
    client->worker = worker;
    client->transport.fd = -1;
    worker->spare = client;
    return true;
}

void client_free_spare(struct worker *worker)
{
    if (worker->spare == NULL)
        return;
    bufferevent_free(worker->spare->bufferevent);
    free(worker->spare);
    worker->spare = NULL;
}

static enum tally_listener kind_of(const struct config_listener *listener)
{
    if (listener->tls)
        return TALLY_TLS;
    return listener->address.kind == ADDRESS_UNIX ? TALLY_UNIX : TALLY_PLAIN;
}

/* evhttp gives the bufferevent its descriptor and callbacks only after this returns; on_start runs once it
 * has, before the loop looks at any descriptor again. */
struct bufferevent *client_bufferevent(struct event_base *base, void *arg)
{
    struct listener *listener = arg;
    struct worker *worker = listener->worker;
    struct client *client = worker->spare;

    worker->spare = NULL;
    client->state = CLIENT_STARTING;
    client->listener = listener->config;
    TAILQ_INSERT_TAIL(&worker->clients, client, link);
    worker->client_count++;
    figure_add(&worker->tally.open[kind_of(client->listener)], 1);
    bufferevent_incref(client->bufferevent);
    (void)event_assign(&client->readable, base, -1, 0, on_start, client);
    event_active(&client->readable, EV_TIMEOUT, 0);
    client->placed = room_take(&worker->service->room);
    worker->turned_away += !client->placed;
    if (!worker_has_room(worker))
        worker_accept(worker, false);
    return client->bufferevent;
}

static void release_received(struct client *client)
{
    if (client->incoming == NULL)
        return;
    client->worker->unfinished -= client->incoming->received;
    client->incoming->received = 0;
}

void client_drop_received(struct client *client)
{
    struct evbuffer *input = bufferevent_get_input(client->bufferevent);

    (void)evbuffer_drain(input, evbuffer_get_length(input));
    if (client->incoming != NULL)
        incoming_drop_content(client->incoming);
    release_received(client);
}

/* Takes a client off the books; what is left of it is freed by the sweep, when no caller up the stack can use
 * it any more. */
static void retire(struct client *client)
{
    struct worker *worker = client->worker;

    client->state = CLIENT_CLOSED;
    if (client->rest != NULL) {
        worker->held -= client->rest->kept;
        client->rest->kept = 0;
    }
    release_received(client);
    transport_end_tls(&client->transport, !client->gone);
    client_forget_peer(client);
    (void)event_del(&client->readable);
    client_stop_writing(client);
    TAILQ_REMOVE(&worker->clients, client, link);
    TAILQ_INSERT_TAIL(&worker->dead, client, link);
    worker->client_count--;
    if (client->placed)
        room_leave(&worker->service->room);
    else
        worker->turned_away--;
    figure_add(&worker->tally.open[kind_of(client->listener)], UINT64_MAX); /* one less */
    event_active(&worker->sweep, EV_TIMEOUT, 0);
}

static void on_start(int descriptor, short what, void *arg)
{
    struct client *client = arg;
    struct worker *worker = client->worker;
    bufferevent_data_cb read_callback = NULL;
    const int on = 1;
    (void)descriptor;
    (void)what;

    bufferevent_getcb(client->bufferevent, &read_callback, NULL, NULL, NULL);
    if (read_callback == NULL) { /* evhttp could not set the connection up and has freed its reference */
        retire(client);
        return;
    }
    client->transport.fd = bufferevent_getfd(client->bufferevent);
    (void)bufferevent_setfd(client->bufferevent, -1);
    (void)setsockopt(client->transport.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    COUNT(worker->service, connections);
    client_identify(client);
    if (worker->stopping)
        client_stop(client);
}

/* As many as may be are connected: this one is told so, where it can be told in clear, and not served. */
static void turn_away(struct client *client)
{
    COUNT(client->worker->service, turned_away);
    client_receive(client);
    client->incoming = incoming_take(client->worker);
    if (client->listener->tls || client->incoming == NULL) {
        client_close(client);
        return;
    }
    client->incoming->began_us = clock_monotonic_us();
    client->deadline_us = 0;
    client->state = CLIENT_ANSWERING;
    exchange_refuse_overload(
        client, "limits.connections",
        "As many clients as may be are connected (limits.connections). Try again shortly.");
}

void client_serve(struct client *client)
{
    struct worker *worker = client->worker;

    (void)event_assign(&client->readable, worker->base, client->transport.fd, EV_READ | EV_PERSIST,
                       client_on_readable, client);
    if (!client->placed) {
        turn_away(client);
        return;
    }
    bool begun = !client->listener->tls || client_tls_begin(client);
    if (begun && !client->listener->tls)
        client_receive(client);
    if (!begun || !client_listen(client))
        client_close(client);
}

bool client_listen(struct client *client)
{
    if (event_add(&client->readable, NULL) != 0)
        return false;
    if (transport_holds(&client->transport))
        event_active(&client->readable, EV_READ, 0);
    return true;
}

struct client_rest *client_rest(struct client *client)
{
    if (client->rest == NULL)
        client->rest = calloc(1, sizeof *client->rest);
    return client->rest;
}

static void free_rest(struct client_rest *rest)
{
    if (rest == NULL)
        return;
    if (rest->output != NULL)
        evbuffer_free(rest->output);
    if (rest->writable != NULL)
        event_free(rest->writable);
    text_wipe(&rest->surplus);
    free(rest->names);
    free(rest);
}

void client_sweep(struct worker *worker)
{
    struct client *client;

    while ((client = TAILQ_FIRST(&worker->dead)) != NULL) {
        TAILQ_REMOVE(&worker->dead, client, link);
        bufferevent_decref(client->bufferevent);
        free_rest(client->rest);
        incoming_give_back(worker, client->incoming);
        free(client);
    }
}

void client_close(struct client *client)
{
    struct evhttp_connection *connection = client->connection;

    if (client->state == CLIENT_CLOSED)
        return;
    retire(client);
    client->connection = NULL;
    client->request = NULL;
    if (connection == NULL) {
        bufferevent_trigger_event(client->bufferevent, BEV_EVENT_READING | BEV_EVENT_EOF, 0);
    } else {
        evhttp_connection_set_closecb(connection, NULL, NULL);
        evhttp_connection_free(connection);
    }
}

/* evhttp closes by its own rules, after a reply. */
static void on_evhttp_close(struct evhttp_connection *connection, void *arg)
{
    struct client *client = arg;
    (void)connection;

    client->connection = NULL;
    client->request = NULL;
    retire(client);
}

void client_lose(struct client *client)
{
    (void)event_del(&client->readable);
    client_stop_writing(client);
    client->gone = true;
    client->deadline_us = 0;
    if (client->exchange != NULL)
        exchange_client_gone(client->exchange);
    else
        client_close(client);
}

static const char *method_name(enum evhttp_cmd_type command)
{
    static const struct {
        enum evhttp_cmd_type command;
        const char *name;
    } names[] = {
        {EVHTTP_REQ_GET, "GET"},     {EVHTTP_REQ_HEAD, "HEAD"},       {EVHTTP_REQ_POST, "POST"},
        {EVHTTP_REQ_PUT, "PUT"},     {EVHTTP_REQ_PATCH, "PATCH"},     {EVHTTP_REQ_DELETE, "DELETE"},
        {EVHTTP_REQ_TRACE, "TRACE"}, {EVHTTP_REQ_OPTIONS, "OPTIONS"},
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].command == command)
            return names[i].name;
    return "";
}

/* Did evhttp read the request as the grammar did, and nothing beside it? */
static bool read_alike(const struct client *client, struct evhttp_request *request)
{
    return evbuffer_get_length(bufferevent_get_input(client->bufferevent)) == 0 &&
           incoming_is(client->incoming, method_name(evhttp_request_get_command(request)),
                       evhttp_request_get_uri(request),
                       evbuffer_get_length(evhttp_request_get_input_buffer(request)));
}

void client_on_request(struct evhttp_request *request, void *arg)
{
    struct evhttp_connection *connection = evhttp_request_get_connection(request);
    struct worker *worker = arg;
    struct client *client = worker->dispatching;

    worker->dispatching = NULL;
    client->connection = connection;
    client->request = request;
    client->state = CLIENT_ANSWERING;
    client->deadline_us = 0;
    client->requests++;
    evhttp_connection_set_closecb(connection, on_evhttp_close, client);
    if (read_alike(client, request))
        exchange_begin(client, request);
    else
        exchange_refuse_wire(client, WIRE_FAULT_DISAGREEMENT);
}

int64_t client_after_ms(unsigned milliseconds)
{
    return clock_monotonic_us() + (int64_t)milliseconds * 1000;
}

void client_receive(struct client *client)
{
    release_received(client);
    incoming_give_back(client->worker, client->incoming);
    client->incoming = NULL;
    client->state = CLIENT_RECEIVING;
    client->finishing = false;
    client->continued = false;
    client->deadline_us =
        client_after_ms(client->worker->stopping ? CLIENT_FRESH_GRACE_MS
                                                 : client->worker->service->config->limits.idle_timeout_ms);
}

bool client_keeps(const struct client *client)
{
    unsigned bound = client->worker->service->config->limits.requests_per_connection;

    return wire_keeps_connection(&client->incoming->wire) && (bound == 0 || client->requests < bound);
}

size_t client_bytes_received(const struct client *client)
{
    size_t content = client->incoming->content != NULL ? evbuffer_get_length(client->incoming->content) : 0;

    return client->incoming->header.length + content +
           evbuffer_get_length(bufferevent_get_input(client->bufferevent));
}

void client_count_received(struct client *client)
{
    size_t now = client_bytes_received(client);

    client->worker->unfinished += now - client->incoming->received;
    client->incoming->received = now;
}
