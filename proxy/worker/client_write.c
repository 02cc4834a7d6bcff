/* What is written to a client, at once or when its socket takes more; and what follows a whole reply. */
#include "proxy/worker/client.h"
#include "proxy/worker/exchange.h"
#include "proxy/worker/incoming.h"
#include "proxy/worker/worker.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <sys/socket.h>

static void on_writable(int descriptor, short what, void *arg);

bool client_await_writable(struct client *client)
{
    struct client_rest *rest = client_rest(client);

    if (rest != NULL && rest->writable == NULL)
        rest->writable =
            event_new(client->worker->base, client->transport.fd, EV_WRITE | EV_PERSIST, on_writable, client);
    return rest != NULL && rest->writable != NULL && event_add(rest->writable, NULL) == 0;
}

void client_stop_writing(struct client *client)
{
    if (client->rest != NULL && client->rest->writable != NULL)
        (void)event_del(client->rest->writable);
}

/* Waits for the client to read the reply and close, within bounds: to close at once with unread input would
 * make the kernel reset the connection, and the reply with it. */
void client_linger(struct client *client)
{
    struct client_rest *rest = client_rest(client);

    client->state = CLIENT_LINGERING;
    client_drop_received(client);
    if (rest != NULL)
        rest->drained = rest->surplus.length;
    client->deadline_us = client_after_ms(client->worker->service->config->limits.drain_timeout_ms);
    if (transport_finish(&client->transport) == TRANSPORT_WANTS_WRITE)
        (void)client_await_writable(client);
    if (rest == NULL || client->ended || event_add(&client->readable, NULL) != 0)
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

/* Books what is kept for the client now; it has a rest. */
static void count_kept(struct client *client)
{
    size_t now = client_queued(client);

    client->worker->held += now - client->rest->kept;
    client->rest->kept = now;
}

/* Writes of what is kept as much as the socket takes; false when the connection is broken. */
static bool flush(struct client *client)
{
    if (client->transport.ssl != NULL)
        return client_tls_flush(client);
    return evbuffer_write(client->rest->output, client->transport.fd) >= 0 || errno == EAGAIN ||
           errno == EINTR;
}

static void on_writable(int descriptor, short what, void *arg)
{
    struct client *client = arg;
    (void)descriptor;
    (void)what;

    if (client->transport.ssl != NULL && client_tls_writable(client))
        return;
    if (client_queued(client) > 0 && !flush(client)) {
        client_lose(client);
        return;
    }
    count_kept(client);
    if (client->rest->kept > 0)
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

static bool keep_unsent(struct evbuffer *output, struct span part, size_t sent)
{
    return sent >= part.length || evbuffer_add(output, part.data + sent, part.length - sent) == 0;
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

    struct client_rest *rest = client_rest(client);
    if (rest != NULL && rest->output == NULL)
        rest->output = evbuffer_new();
    size_t sent_of_second = sent > first.length ? sent - first.length : 0;
    if (rest == NULL || rest->output == NULL || !keep_unsent(rest->output, first, sent) ||
        !keep_unsent(rest->output, second, sent_of_second) || !client_await_writable(client)) {
        client->gone = true;
        return;
    }
    count_kept(client);
    if (client->deadline_us == 0)
        client_begin_to_wait(client);
}

size_t client_queued(const struct client *client)
{
    const struct client_rest *rest = client->rest;

    return rest != NULL && rest->output != NULL ? evbuffer_get_length(rest->output) : 0;
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
