/* Whom a request comes from. */
#include "proxy/net/forwarded.h"
#include "proxy/worker/client.h"
#include "proxy/worker/exchange_internal.h"
#include "proxy/worker/worker.h"

bool exchange_name_client(struct exchange *exchange)
{
    struct client *client = exchange->client;
    const struct config *config = exchange->worker->service->config;
    struct ip_address address;

    exchange->request.client = span_of(client->peer);
    if (!client->believed || !forwarded_client(exchange->request.fields, exchange->request.field_count,
                                               &config->trusted_networks, &address))
        return true;
    char *text = arena_take(&exchange->arena, IP_ADDRESS_TEXT);
    if (text == NULL)
        return false;
    ip_address_write(&address, text);
    exchange->request.client = span_of(text);
    return client_count_for(client, &address);
}

void exchange_refuse_crowd(struct exchange *exchange)
{
    struct refusal *refusal = exchange_refusal(exchange, REFUSE_CROWD, "limits",
                                               "There are too many connections from this client's address. "
                                               "Nothing was sent on. Use fewer, and each for "
                                               "several requests.");

    COUNT(exchange->worker->service, crowd_refused);
    refusal_field(refusal, &exchange->arena, "Retry-After", "1");
}
