/* Who a client is: the peer of its socket, or whom a trusted proxy names, by the PROXY protocol for the whole
 * connection, or in X-Forwarded-For for a request. And how many connections that one has. */
#include "proxy/base/log.h"
#include "proxy/limits/address_count.h"
#include "proxy/net/proxy_header.h"
#include "proxy/worker/client.h"
#include "proxy/worker/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#define LOG_INTERVAL_S 10
#define PEEK_BYTES     PROXY_HEADER_MOST

static void refuse_proxy(struct client *client, const char *fault)
{
    static struct log_limit limit;
    unsigned long suppressed = 0;

    COUNT(client->worker->service, proxy_refused);
    if (log_allow(&limit, LOG_INTERVAL_S, &suppressed))
        log_event(LOG_WARNING, "proxy-header",
                  "%s: connection from %s refused: PROXY header: %s (%lu more such events not shown)",
                  client->listener->address.text, client->peer, fault, suppressed);
    client_close(client);
}

static void refuse_crowd(struct client *client)
{
    static struct log_limit limit;
    unsigned long suppressed = 0;

    COUNT(client->worker->service, crowd_refused);
    if (log_allow(&limit, LOG_INTERVAL_S, &suppressed))
        log_event(LOG_WARNING, "connections-per-address",
                  "%s has more than %u connections; another one was closed (%lu more such events not shown)",
                  client->peer, client->worker->service->config->limits.connections_per_address, suppressed);
    client_close(client);
}

bool client_count_for(struct client *client, const struct ip_address *address)
{
    struct address_count *addresses = client->worker->service->addresses;

    if (address_place_is(client->place, address))
        return true;
    address_count_leave(addresses, client->place);
    return address_count_enter(addresses, address, &client->place);
}

static void name(struct client *client, const struct peer *peer)
{
    memcpy(client->peer, peer->text, sizeof client->peer);
}

/* The peer is known. One that speaks for others is not counted before it says for whom. */
static void admit(struct client *client, const struct peer *peer)
{
    client->believed = peer_is_trusted(peer, &client->worker->service->config->trusted_networks);
    if (!client->believed && peer->kind == PEER_IP && !client_count_for(client, &peer->address))
        refuse_crowd(client);
    else
        client_serve(client);
}

/* ---- the PROXY header ---- */

static void forget_header(struct client *client)
{
    free(client->proxy);
    client->proxy = NULL;
}

/* The header is complete. */
static void take_header(struct client *client)
{
    struct peer peer;

    switch (client->proxy->source) {
    case PROXY_SOURCE_NONE: /* the proxy's own connection */
        peer_of_socket(client->transport.fd, &peer);
        break;
    case PROXY_SOURCE_IP:
        peer_of_address(&client->proxy->address, &peer);
        break;
    case PROXY_SOURCE_UNIX:
        peer_of_local(&peer);
        break;
    }
    (void)event_del(&client->readable);
    client->deadline_us = 0;
    forget_header(client);
    name(client, &peer);
    admit(client, &peer);
}

/* Takes the bytes of the header and no more, so that what reads the connection next finds its first byte. */
static void on_header(int descriptor, short what, void *arg)
{
    struct client *client = arg;
    char *bytes = client->worker->buffer;
    ssize_t seen = recv(descriptor, bytes, PEEK_BYTES, MSG_PEEK);
    (void)what;

    if (seen < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (seen <= 0) {
        refuse_proxy(client, "the connection ended before it");
        return;
    }
    size_t used = proxy_header_read(client->proxy, (struct span){bytes, (size_t)seen});
    if (recv(descriptor, bytes, used, 0) != (ssize_t)used)
        refuse_proxy(client, "it cannot be read");
    else if (client->proxy->state == PROXY_HEADER_REFUSED)
        refuse_proxy(client, client->proxy->fault);
    else if (client->proxy->state == PROXY_HEADER_DONE)
        take_header(client);
}

static void await_header(struct client *client)
{
    const struct config *config = client->worker->service->config;

    client->proxy = calloc(1, sizeof *client->proxy);
    (void)event_assign(&client->readable, client->worker->base, client->transport.fd, EV_READ | EV_PERSIST,
                       on_header, client);
    if (client->proxy == NULL || event_add(&client->readable, NULL) != 0) {
        refuse_proxy(client, "memory is out");
        return;
    }
    client->deadline_us = clock_monotonic_us() + (int64_t)config->limits.header_timeout_ms * 1000;
}

void client_identify(struct client *client)
{
    const struct config *config = client->worker->service->config;
    struct peer peer;

    peer_of_socket(client->transport.fd, &peer);
    name(client, &peer);
    if (!client->listener->proxy_protocol)
        admit(client, &peer);
    else if (peer.kind == PEER_LOCAL || peer_is_trusted(&peer, &config->trusted_networks))
        await_header(client);
    else
        refuse_proxy(client, "the peer is in none of trusted_networks");
}

void client_identify_late(struct client *client)
{
    if (client->proxy != NULL)
        refuse_proxy(client, "it did not come in time");
}

void client_forget_peer(struct client *client)
{
    forget_header(client);
    address_count_leave(client->worker->service->addresses, client->place);
    client->place = NULL;
}
