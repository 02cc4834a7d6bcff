#include "proxy/worker/client.h"

#include "proxy/worker/exchange.h"
#include "proxy/worker/incoming.h"
#include "proxy/worker/listener.h"
#include "proxy/worker/worker.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define ANSWER_SLACK_US 1000000 /* beyond the deadline, for the answer that says so */
#define FRESH_GRACE_MS  1000    /* when the gate stops: for a new connection's first request */

static void on_start(int descriptor, short what, void *arg);
static void on_writable(int descriptor, short what, void *arg);
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

bool client_await_writable(struct client *client)
{
    if (client->writable == NULL)
        client->writable =
            event_new(client->worker->base, client->transport.fd, EV_WRITE | EV_PERSIST, on_writable, client);
    return client->writable != NULL && event_add(client->writable, NULL) == 0;
}

void client_stop_writing(struct client *client)
{
    if (client->writable != NULL)
        (void)event_del(client->writable);
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
    worker->held -= client->kept;
    client->kept = 0;
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
    client->began_us = clock_monotonic_us();
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

void client_sweep(struct worker *worker)
{
    struct client *client;

    while ((client = TAILQ_FIRST(&worker->dead)) != NULL) {
        TAILQ_REMOVE(&worker->dead, client, link);
        bufferevent_decref(client->bufferevent);
        if (client->output != NULL)
            evbuffer_free(client->output);
        if (client->writable != NULL)
            event_free(client->writable);
        text_wipe(&client->surplus);
        incoming_give_back(worker, client->incoming);
        free(client->names);
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

static int64_t after_ms(unsigned milliseconds)
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
    client->began_us = client->total_us = 0;
    client->deadline_us = after_ms(
        client->worker->stopping ? FRESH_GRACE_MS : client->worker->service->config->limits.idle_timeout_ms);
}

bool client_keeps(const struct client *client)
{
    unsigned bound = client->worker->service->config->limits.requests_per_connection;

    return wire_keeps_connection(&client->incoming->wire) && (bound == 0 || client->requests < bound);
}

/* Bytes held of the request under way. */
static size_t bytes_received(const struct client *client)
{
    size_t content = client->incoming->content != NULL ? evbuffer_get_length(client->incoming->content) : 0;

    return client->incoming->header.length + content +
           evbuffer_get_length(bufferevent_get_input(client->bufferevent));
}

void client_count_received(struct client *client)
{
    size_t now = bytes_received(client);

    client->worker->unfinished += now - client->incoming->received;
    client->incoming->received = now;
}

static struct pace_rule body_rule(const struct client *client)
{
    const struct config *config = client->worker->service->config;

    return (struct pace_rule){.bytes_per_s = config->limits.body_bytes_per_s,
                              .grace_ms = config->limits.rate_grace_ms,
                              .total_ms = config->limits.body_timeout_ms};
}

void client_begin_body(struct client *client)
{
    const struct pace_rule rule = body_rule(client);
    int64_t now = clock_monotonic_us();

    pace_begin(&client->incoming->pace, bytes_received(client), now);
    client->deadline_us = pace_next(&client->incoming->pace, &rule, now);
}

static struct pace_rule answer_rule(const struct client *client)
{
    const struct config *config = client->worker->service->config;

    return (struct pace_rule){.bytes_per_s = config->limits.answer_bytes_per_s,
                              .grace_ms = config->limits.rate_grace_ms,
                              .still_ms = config->limits.write_timeout_ms};
}

/* Bytes that the client has taken: what still lies in the socket, of megabytes perhaps, has not arrived. */
static uint64_t bytes_taken(const struct client *client)
{
    int unsent = 0;

    if (ioctl(client->transport.fd, SIOCOUTQ, &unsent) != 0)
        unsent = 0;
    uint64_t waiting = client_queued(client) + (uint64_t)unsent;
    return client->handed > waiting ? client->handed - waiting : 0;
}

/* A part of the answer has to wait: from now on the client's pace counts. */
static void begin_to_wait(struct client *client)
{
    const struct pace_rule rule = answer_rule(client);
    int64_t now = clock_monotonic_us();

    pace_begin(&client->incoming->pace, bytes_taken(client), now);
    client->deadline_us = pace_next(&client->incoming->pace, &rule, now);
}

/* Waits for the client to read the reply and close, within bounds: to close at once with unread input would
 * make the kernel reset the connection, and the reply with it. */
void client_linger(struct client *client)
{
    client->state = CLIENT_LINGERING;
    client_drop_received(client);
    client->drained = client->surplus.length;
    client->deadline_us = after_ms(client->worker->service->config->limits.drain_timeout_ms);
    if (transport_finish(&client->transport) == TRANSPORT_WANTS_WRITE)
        (void)client_await_writable(client);
    if (client->ended || event_add(&client->readable, NULL) != 0)
        client_close(client);
}

/* Whether the connection is kept was decided by the guard, and the client was told. evhttp would decide
 * again, by rules of its own: it takes an absolute target for a proxy's, HTTP/1.0 for the end of the
 * connection (it was shown no Connection field), and ends the reply to a chunked request as a chunked one. */
static void make_evhttp_keep(struct evhttp_request *request)
{
    request->flags &= ~EVHTTP_PROXY_REQUEST;
    request->major = 1;
    request->minor = 1;
    request->chunked = 0;
}

/* The whole reply is with the kernel. */
static void reply_written(struct client *client)
{
    struct evhttp_request *request = client->request;

    if (!client->keep || client->worker->stopping) {
        client_linger(client);
        return;
    }
    client->request = NULL;
    make_evhttp_keep(request);
    evhttp_send_reply_end(request);
    if (client->state == CLIENT_CLOSED)
        return;
    client_receive(client);
    if (!client->ended)
        (void)client_listen(client);
    client_pump(client);
}

/* Books what is kept for the client now. */
static void count_kept(struct client *client)
{
    size_t now = client_queued(client);

    client->worker->held += now - client->kept;
    client->kept = now;
}

/* Writes of what is kept as much as the socket takes; false when the connection is broken. */
static bool flush(struct client *client)
{
    if (client->transport.ssl != NULL)
        return client_tls_flush(client);
    return evbuffer_write(client->output, client->transport.fd) >= 0 || errno == EAGAIN || errno == EINTR;
}

static void on_writable(int descriptor, short what, void *arg)
{
    struct client *client = arg;
    (void)descriptor;
    (void)what;

    if (client->transport.ssl != NULL && client_tls_writable(client))
        return;
    if (!flush(client)) {
        client_lose(client);
        return;
    }
    count_kept(client);
    if (client->kept > 0)
        return;
    if (client->state ==
        CLIENT_ANSWERING) /* otherwise it was a 100 (Continue), and the deadline is the request's */
        client->deadline_us = 0;
    client_stop_writing(client);
    if (client->finishing)
        reply_written(client);
    else if (client->exchange != NULL)
        exchange_drained(client->exchange);
}

/* Sends what the socket takes at once; how much that was. */
static size_t send_now(struct client *client, struct span first, struct span second)
{
    size_t sent = 0;

    if (transport_write_both(&client->transport, first, second, &sent) == TRANSPORT_BROKEN)
        client->gone = true;
    return sent;
}

static bool keep_rest(struct client *client, struct span part, size_t sent)
{
    return sent >= part.length || evbuffer_add(client->output, part.data + sent, part.length - sent) == 0;
}

void client_send(struct client *client, struct span first, struct span second)
{
    size_t sent = 0, all = first.length + second.length;

    if (client->gone || all == 0)
        return;
    client->handed += all;
    if (client_queued(client) == 0)
        sent = send_now(client, first, second);
    if (client->gone || sent == all)
        return;
    if (client->output == NULL)
        client->output = evbuffer_new();
    size_t sent_of_second = sent > first.length ? sent - first.length : 0;
    if (client->output == NULL || !keep_rest(client, first, sent) ||
        !keep_rest(client, second, sent_of_second) || !client_await_writable(client)) {
        client->gone = true;
        return;
    }
    count_kept(client);
    if (client->deadline_us == 0)
        begin_to_wait(client);
}

size_t client_queued(const struct client *client)
{
    return client->output != NULL ? evbuffer_get_length(client->output) : 0;
}

void client_finish(struct client *client, bool keep)
{
    client->exchange = NULL;
    client->finishing = true;
    client->keep = keep;
    if (client->gone)
        client_close(client);
    else if (client_queued(client) == 0)
        reply_written(client);
}

void client_cut(struct client *client)
{
    /* A reset, and no FIN before it: to a reader of HTTP/1.0 a plain end would look like the end of the body.
     * To dissolve the association (connect(2), AF_UNSPEC) does just that. */
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};

    client->exchange = NULL;
    client->gone = true;
    (void)connect(client->transport.fd, &nobody, sizeof nobody);
    client_close(client);
}

/* For a request, of which not a byte has come? */
static bool is_waiting(const struct client *client)
{
    return client->incoming == NULL || client->incoming->wire.state == WIRE_IDLE;
}

/* The request does not come in time, or too slowly. */
static void refuse_late(struct client *client)
{
    COUNT(client->worker->service, too_slow);
    client->deadline_us = 0;
    client->state = CLIENT_ANSWERING;
    exchange_refuse_late(client);
}

static void lose_slow(struct client *client, const char *fault)
{
    COUNT(client->worker->service, too_slow);
    client->fault = fault;
    client_lose(client);
}

/* The moment to look has come; what the state waits for may be on its way still. */
static void look(struct client *client, int64_t now_us)
{
    struct pace_rule rule;

    switch (client->state) {
    case CLIENT_RECEIVING:
        rule = body_rule(client);
        if (is_waiting(client))
            client_close(client);
        else if (client->incoming->wire.state == WIRE_BODY &&
                 pace_holds(&client->incoming->pace, &rule, bytes_received(client), now_us))
            client->deadline_us = pace_next(&client->incoming->pace, &rule, now_us);
        else
            refuse_late(client);
        break;
    case CLIENT_ANSWERING:
        rule = answer_rule(client);
        if (pace_holds(&client->incoming->pace, &rule, bytes_taken(client), now_us))
            client->deadline_us = pace_next(&client->incoming->pace, &rule, now_us);
        else
            lose_slow(client, "the client took its answer too slowly");
        break;
    case CLIENT_LINGERING:
        client_close(client);
        break;
    case CLIENT_HANDSHAKING:
        client_tls_late(client);
        break;
    case CLIENT_STARTING:
        client_identify_late(client);
        break;
    case CLIENT_CLOSED:
        break;
    }
}

/* The exchange has had its time. The call to the upstream knows that deadline and answers by itself; whatever
 * else keeps the client waiting, it is not kept for longer. A change that was sent goes on until its outcome
 * is recorded. */
static void end_exchange(struct client *client, int64_t now_us)
{
    if (client->state == CLIENT_RECEIVING)
        refuse_late(client);
    else if (client->state == CLIENT_ANSWERING && now_us >= client->total_us + ANSWER_SLACK_US)
        lose_slow(client, "the exchange took too long (limits.exchange_timeout_ms)");
}

void client_tick(struct client *client, int64_t now_us)
{
    if (client->total_us != 0 && now_us >= client->total_us && !client->gone)
        end_exchange(client, now_us);
    if (client->deadline_us != 0 && now_us >= client->deadline_us) {
        client->deadline_us = 0;
        look(client, now_us);
    }
}

static bool is_idle(const struct client *client)
{
    return client->state == CLIENT_STARTING || client->state == CLIENT_HANDSHAKING ||
           (client->state == CLIENT_RECEIVING && is_waiting(client));
}

/* One that was let in and has not asked for anything yet is about to. Others had their turn: what they sent
 * in time is answered, what they may be sending now is not begun. */
void client_stop(struct client *client)
{
    int64_t grace = after_ms(FRESH_GRACE_MS);

    if (!is_idle(client))
        return;
    if (client->requests == 0) {
        if (client->deadline_us == 0 || client->deadline_us > grace)
            client->deadline_us = grace;
        return;
    }
    client_on_readable(client->transport.fd, EV_READ, client);
    if (is_idle(client))
        client_close(client);
}
