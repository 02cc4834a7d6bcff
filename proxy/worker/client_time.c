/* How long a client may take: for a request, for its answer, and when the gate stops. */
#include "proxy/worker/client.h"
#include "proxy/worker/exchange.h"
#include "proxy/worker/incoming.h"
#include "proxy/worker/worker.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#define ANSWER_SLACK_US 1000000 /* beyond the deadline, for the answer that says so */

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

    pace_begin(&client->incoming->pace, client_bytes_received(client), now);
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

void client_begin_to_wait(struct client *client)
{
    const struct pace_rule rule = answer_rule(client);
    int64_t now = clock_monotonic_us();

    pace_begin(&client->incoming->pace, bytes_taken(client), now);
    client->deadline_us = pace_next(&client->incoming->pace, &rule, now);
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
    client->incoming->fault = fault;
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
                 pace_holds(&client->incoming->pace, &rule, client_bytes_received(client), now_us))
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
    else if (client->state == CLIENT_ANSWERING && now_us >= client->incoming->total_us + ANSWER_SLACK_US)
        lose_slow(client, "the exchange took too long (limits.exchange_timeout_ms)");
}

void client_tick(struct client *client, int64_t now_us)
{
    const struct incoming *incoming = client->incoming;

    if (incoming != NULL && incoming->total_us != 0 && now_us >= incoming->total_us && !client->gone)
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
    int64_t grace = client_after_ms(CLIENT_FRESH_GRACE_MS);

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
