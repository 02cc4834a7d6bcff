/* What is different of a client with TLS: the handshake before the first byte of HTTP, and that TLS may have
 * to write in order to read. The wire guard, deadlines and the end are those of every client. */
#include "proxy/base/log.h"
#include "proxy/tls/server.h"
#include "proxy/worker/client.h"
#include "proxy/worker/worker.h"

#include <event2/buffer.h>
#include <stdlib.h>

bool client_tls_begin(struct client *client)
{
    const struct service *service = client->worker->service;

    client->state = CLIENT_HANDSHAKING;
    client->deadline_us = clock_monotonic_us() + (int64_t)service->config->limits.handshake_timeout_ms * 1000;
    return tls_server_attach(service->tls, &client->transport);
}

static void count_failure(struct service *service, enum tls_fault fault)
{
    switch (fault) {
    case TLS_FAULT_CLOSED:
        COUNT(service, tls_closed);
        break;
    case TLS_FAULT_CERTIFICATE:
        COUNT(service, tls_uncertified);
        break;
    case TLS_FAULT_PROTOCOL:
        COUNT(service, tls_refused);
        break;
    case TLS_FAULT_TIMEOUT:
        COUNT(service, tls_late);
        break;
    }
}

/* Whoever knocks may fail as often as he likes: what he costs the log is bounded, for each reason. */
static void note_failure(const struct client *client, enum tls_fault fault, const char *text)
{
    static struct log_limit limits[TLS_FAULTS];
    unsigned long suppressed = 0;

    count_failure(client->worker->service, fault);
    if (log_allow(&limits[fault], 1, &suppressed))
        log_event(LOG_INFO, "tls-handshake", "client %s: %s (%lu more such events not shown)", client->peer,
                  text, suppressed);
}

void client_tls_late(struct client *client)
{
    note_failure(client, TLS_FAULT_TIMEOUT, "the handshake took longer than limits.handshake_timeout_ms");
    client_close(client);
}

/* The client is told by an alert, which a reset would take from it. */
static void handshake_failed(struct client *client)
{
    char text[256];
    enum tls_fault fault = tls_server_fault(&client->transport, text, sizeof text);

    note_failure(client, fault, text);
    transport_end_tls(&client->transport, false);
    client_stop_writing(client);
    if (fault == TLS_FAULT_CLOSED)
        client_close(client);
    else
        client_linger(client);
}

static void handshake_done(struct client *client)
{
    bool failed;

    if (client->worker->service->config->tls.client_certificate != CLIENT_CERTIFICATE_NONE) {
        struct peer_names *names = tls_server_peer(&client->transport, &failed);
        struct client_rest *rest = names != NULL ? client_rest(client) : NULL;

        if (rest != NULL)
            rest->names = names;
        else
            free(names);
        if (failed || (names != NULL && rest == NULL)) {
            client_close(client);
            return;
        }
    }
    if (tls_server_resumed(&client->transport))
        COUNT(client->worker->service, tls_resumed);
    else
        COUNT(client->worker->service, tls_begun);
    client_stop_writing(client);
    client_receive(client);
}

void client_tls_handshake(struct client *client)
{
    switch (transport_handshake(&client->transport)) {
    case TRANSPORT_DONE:
        handshake_done(client);
        break;
    case TRANSPORT_WANTS_READ:
        client_stop_writing(client);
        break;
    case TRANSPORT_WANTS_WRITE:
        (void)client_await_writable(client);
        break;
    case TRANSPORT_ENDED:
    case TRANSPORT_BROKEN:
        handshake_failed(client);
        break;
    }
}

/* An answer to a key update, say, that finds the socket full. Not reading meanwhile: the socket may well stay
 * readable, and the loop would turn for nothing. */
void client_tls_stall(struct client *client)
{
    client->stalled = true;
    (void)event_del(&client->readable);
    (void)client_await_writable(client);
}

bool client_tls_writable(struct client *client)
{
    if (client->state == CLIENT_HANDSHAKING) {
        client_tls_handshake(client);
    } else if (client->state == CLIENT_LINGERING) {
        if (transport_finish(&client->transport) != TRANSPORT_WANTS_WRITE)
            client_stop_writing(client);
    } else if (client->stalled) {
        client->stalled = false;
        if (client_queued(client) == 0)
            client_stop_writing(client);
        (void)event_add(&client->readable, NULL);
        client_on_readable(client->transport.fd, EV_READ, client);
    } else {
        return false;
    }
    return true;
}

bool client_tls_flush(struct client *client)
{
    struct evbuffer *output = client->rest->output;
    enum transport_result result;

    do {
        size_t taken = 0, left = evbuffer_get_length(output);
        size_t length = left < TRANSPORT_RECORD ? left : TRANSPORT_RECORD;
        const unsigned char *bytes = evbuffer_pullup(output, (ev_ssize_t)length);
        if (bytes == NULL)
            return false;
        result = transport_write(&client->transport, (const char *)bytes, length, &taken);
        (void)evbuffer_drain(output, taken);
    } while (result == TRANSPORT_DONE && evbuffer_get_length(output) > 0);
    return result == TRANSPORT_DONE || result == TRANSPORT_WANTS_WRITE;
}
