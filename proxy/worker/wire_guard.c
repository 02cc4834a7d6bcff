/* The wire guard: what stands between the socket and evhttp. Every byte goes through the grammar (wire.h)
 * first; evhttp is given the bytes of one whole request, or nothing.
 *
 * A chunked body is framed anew for evhttp, as one plain chunk: its chunk reader knows no extensions, and so
 * never sees one; and a byte that came in a chunk of its own costs no more memory than any other. Trailers
 * are judged and dropped. */
#include "proxy/worker/client.h"
#include "proxy/worker/exchange.h"
#include "proxy/worker/incoming.h"
#include "proxy/worker/worker.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdio.h>

#define SURPLUS_BYTES                                                                                        \
    (64 * 1024) /* of pipelined requests held back; a client that sends more is not read                     \
                 */

static struct evbuffer *input_of(const struct client *client)
{
    return bufferevent_get_input(client->bufferevent);
}

/* The content of a chunked request, whole: one chunk for evhttp, however many there were. */
static bool pass_content(struct client *client)
{
    struct evbuffer *input = input_of(client), *content = client->incoming->content;
    size_t length = content != NULL ? evbuffer_get_length(content) : 0;

    if (length > 0 && (evbuffer_add_printf(input, "%zx\r\n", length) < 0 ||
                       evbuffer_add_buffer(input, content) != 0 || evbuffer_add(input, "\r\n", 2) != 0))
        return false;
    return evbuffer_add(input, "0\r\n\r\n", 5) == 0;
}

static bool keep_content(struct client *client, struct span data)
{
    if (client->incoming->content == NULL)
        client->incoming->content = evbuffer_new();
    return client->incoming->content != NULL &&
           evbuffer_add(client->incoming->content, data.data, data.length) == 0;
}

/* Keeps a piece of the header; once it is complete, evhttp gets its part. */
static bool keep_header(struct client *client, struct span taken)
{
    struct incoming *incoming = client->incoming;

    text_add(&incoming->header, taken.data, taken.length);
    if (incoming->header.failed)
        return false;
    return incoming->wire.state < WIRE_BODY || incoming->wire.state == WIRE_REFUSED ||
           incoming_show(incoming, input_of(client));
}

/* Gives evhttp a piece of the content; it looks only when the request is complete. */
static bool pass_on(struct client *client, struct span taken, struct span data)
{
    struct evbuffer *input = input_of(client);

    if (!wire_is_chunked(&client->incoming->wire))
        return evbuffer_add(input, taken.data, taken.length) == 0;
    if (data.length > 0 && !keep_content(client, data))
        return false;
    return client->incoming->wire.state != WIRE_COMPLETE || pass_content(client);
}

static void refuse(struct client *client, enum wire_fault fault)
{
    client->state = CLIENT_ANSWERING;
    client->deadline_us = 0;
    exchange_refuse_wire(client, fault);
}

static void refuse_overload(struct client *client)
{
    client->state = CLIENT_ANSWERING;
    client->deadline_us = 0;
    client_drop_received(client); /* at once: the refusal may have to wait for the journal */
    exchange_refuse_overload(client, "limits.unfinished_bytes",
                             "The gate holds as much of unfinished requests as it may "
                             "(limits.unfinished_bytes). Nothing was sent on; try again shortly.");
}

/* The request is whole: evhttp parses and dispatches it within this call. */
static void dispatch(struct client *client)
{
    struct worker *worker = client->worker;
    struct evbuffer *output = bufferevent_get_output(client->bufferevent);

    worker->dispatching = client;
    bufferevent_trigger(client->bufferevent, EV_READ, 0);
    bool taken = worker->dispatching == NULL; /* the callback clears it; by now the request may be answered */
    worker->dispatching = NULL;
    if (taken || client->state != CLIENT_RECEIVING)
        return;
    /* evhttp refused what the grammar let through, and wrote a page of its own: ours is sent instead. */
    (void)evbuffer_drain(output, evbuffer_get_length(output));
    refuse(client, WIRE_FAULT_DISAGREEMENT);
}

static void begin_request(struct client *client)
{
    const struct config *config = client->worker->service->config;

    struct incoming *incoming = client->incoming;

    incoming->began_us = clock_monotonic_us();
    incoming->total_us = incoming->began_us + (int64_t)config->limits.exchange_timeout_ms * 1000;
    client->deadline_us = incoming->began_us + (int64_t)config->limits.header_timeout_ms * 1000;
}

/* The empty lines that RFC 9112 §2.2 allows before a request: judged, not passed on, since evhttp knows no
 * such thing. */
static size_t skip_empty_lines(struct client *client, struct span bytes)
{
    struct span none, lines = {bytes.data, 0};

    while (lines.length < bytes.length &&
           (bytes.data[lines.length] == '\r' || bytes.data[lines.length] == '\n'))
        lines.length++;
    return lines.length > 0 ? wire_read(&client->incoming->wire, lines, &none) : 0;
}

/* Judges bytes until the request is complete, refused, or the bytes are used up; how many were taken. All of
 * them, and the client is marked as gone, when memory is out. */
static size_t judge(struct client *client, struct span bytes)
{
    size_t used = 0;

    if (client->incoming == NULL)
        client->incoming = incoming_take(client->worker);
    if (client->incoming == NULL) {
        client->gone = true;
        return bytes.length;
    }
    struct wire *wire = &client->incoming->wire;
    if (wire->state == WIRE_IDLE) {
        begin_request(client);
        used = skip_empty_lines(client, bytes);
    }
    while (used < bytes.length && wire->state < WIRE_COMPLETE) {
        struct span taken = {bytes.data + used, bytes.length - used}, data = {NULL, 0};
        bool in_head = wire->state != WIRE_BODY;
        taken.length = wire_read(wire, taken, &data);

        if (!(in_head ? keep_header(client, taken) : pass_on(client, taken, data))) {
            client->gone = true;
            return bytes.length;
        }
        if (in_head && wire->state == WIRE_BODY)
            client_begin_body(client);
        used += taken.length;
    }
    return used;
}

/* A client that waits for leave to send its body gets it: the judgement needs the body, and the bound on it
 * was checked. */
static void allow_body(struct client *client)
{
    const struct wire *wire = &client->incoming->wire;

    if (wire->state == WIRE_BODY && wire_expects_continue(wire) && !client->continued) {
        client->continued = true;
        client_send(client, span_of("HTTP/1.1 100 Continue\r\n\r\n"), (struct span){NULL, 0});
    }
}

/* Whoever holds the most of the worker's memory with a request that is not whole. */
static struct client *largest_unfinished(struct client *client)
{
    struct client *largest = client, *other;

    TAILQ_FOREACH (other, &client->worker->clients, link) {
        if (other->state == CLIENT_RECEIVING && other->incoming != NULL &&
            other->incoming->received > largest->incoming->received)
            largest = other;
    }
    return largest;
}

/* What did not come at once is held until the rest has come; a worker holds so much and no more. The largest
 * goes first: else whoever leaves large requests unfinished could keep small ones out. */
static void hold_request(struct client *client)
{
    struct worker *worker = client->worker;

    client_count_received(client);
    while (worker->unfinished > worker->service->config->limits.unfinished_bytes &&
           client->state == CLIENT_RECEIVING)
        refuse_overload(largest_unfinished(client));
    if (client->state == CLIENT_RECEIVING)
        allow_body(client);
}

static size_t surplus_of(const struct client *client)
{
    return client->rest != NULL ? client->rest->surplus.length : 0;
}

static void hold_surplus(struct client *client, struct span bytes)
{
    struct client_rest *rest = client_rest(client);

    if (rest != NULL)
        text_add(&rest->surplus, bytes.data, bytes.length);
    if (rest == NULL || rest->surplus.failed)
        client->gone = true;
    else if (rest->surplus.length >= SURPLUS_BYTES)
        (void)event_del(&client->readable);
}

/* Judges received bytes; the surplus must be empty. What lies behind a complete request becomes the surplus
 * before the request runs, because running it may receive into the same buffer. */
static void take(struct client *client, struct span bytes)
{
    size_t used = judge(client, bytes);

    if (used < bytes.length && !client->gone)
        hold_surplus(client, (struct span){bytes.data + used, bytes.length - used});
    if (client->gone)
        client_close(client);
    else if (client->incoming->wire.state == WIRE_COMPLETE)
        dispatch(client);
    else if (client->incoming->wire.state == WIRE_REFUSED)
        refuse(client, client->incoming->wire.fault);
    else
        hold_request(client);
}

void client_pump(struct client *client)
{
    if (client->pumping)
        return;
    client->pumping = true;
    while (client->state == CLIENT_RECEIVING && surplus_of(client) > 0) {
        struct text bytes = client->rest->surplus;
        client->rest->surplus = (struct text){0};
        take(client, (struct span){bytes.data, bytes.length});
        text_wipe(&bytes);
    }
    client->pumping = false;
    if (client->state == CLIENT_RECEIVING && client->ended)
        client_close(client);
}

/* The client sends no more. It may still read: a reply under way is completed. */
static void end_of_input(struct client *client)
{
    client->ended = true;
    if (client->state == CLIENT_ANSWERING)
        (void)event_del(&client->readable);
    else
        client_close(client);
}

static void take_received(struct client *client, struct span bytes)
{
    switch (client->state) {
    case CLIENT_RECEIVING:
        client->pumping = true; /* what a reply within this call leaves as surplus is run by the loop below,
                                   not deeper down the stack */
        take(client, bytes);
        client->pumping = false;
        client_pump(client);
        break;
    case CLIENT_ANSWERING:
        hold_surplus(client, bytes);
        break;
    case CLIENT_LINGERING:
        client->rest->drained += bytes.length;
        if (client->rest->drained > client->worker->service->config->limits.drain_bytes)
            client_close(client);
        break;
    case CLIENT_STARTING:
    case CLIENT_HANDSHAKING:
    case CLIENT_CLOSED:
        break;
    }
}

/* What is only thrown away need not be decrypted. */
static enum transport_result receive(struct client *client, size_t room, size_t *length)
{
    char *buffer = client->worker->buffer;

    return client->state == CLIENT_LINGERING ? transport_receive(&client->transport, buffer, room, length)
                                             : transport_read(&client->transport, buffer, room, length);
}

void client_on_readable(int descriptor, short what, void *arg)
{
    struct client *client = arg;
    struct worker *worker = client->worker;
    size_t room =
        client->state == CLIENT_ANSWERING ? SURPLUS_BYTES - surplus_of(client) : sizeof worker->buffer;
    struct span bytes = {worker->buffer, 0};
    (void)descriptor;
    (void)what;

    if (client->state == CLIENT_HANDSHAKING) {
        client_tls_handshake(client);
        return;
    }
    switch (receive(client, room, &bytes.length)) {
    case TRANSPORT_DONE:
        break;
    case TRANSPORT_WANTS_READ:
        return;
    case TRANSPORT_WANTS_WRITE:
        client_tls_stall(client);
        return;
    case TRANSPORT_ENDED:
        end_of_input(client);
        return;
    case TRANSPORT_BROKEN:
        client_lose(client);
        return;
    }
    take_received(client, bytes);
    explicit_bzero(worker->buffer, bytes.length); /* a credential may lie there */
}
