#include "proxy/ship/destination.h"

#include "proxy/base/clock.h"
#include "proxy/config/place.h"
#include "proxy/config/secret_source.h"
#include "proxy/upstream/upstream.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SECOND     1000u
#define LOOK_US    50000 /* how soon a stop is noticed during a request */
#define SCHEME     "Bearer "
#define TOKEN_ROOM (sizeof SCHEME + SECRET_ROOM)

/* Batches as POST requests. One thread makes one request at a time, so it waits for each in a loop of its
 * own. */
struct webhook {
    const struct config_secret *token;
    const struct stopping *stopping;
    struct place_webhook place;
    struct config config; /* what the HTTP client reads: upstream.* */
    struct event_base *base;
    struct event *tick;
    struct upstream_shared *shared;
    struct upstream *upstream;

    /* The request under way: */
    struct upstream_call *call; /* NULL once it ended */
    int status;
    char *why;
};

static bool wanted(const struct config *config)
{
    return config->ship.webhook != NULL;
}

static void on_head(void *arg, const struct upstream_answer *answer)
{
    struct webhook *webhook = arg;

    webhook->status = answer->status;
}

static void on_body(void *arg, struct span piece)
{
    (void)arg;
    (void)piece;
}

static void on_end(void *arg)
{
    struct webhook *webhook = arg;

    webhook->call = NULL;
}

static void on_fail(void *arg, enum upstream_failure failure, const char *detail, bool sent)
{
    struct webhook *webhook = arg;

    (void)failure;
    (void)sent;
    webhook->call = NULL;
    webhook->status = 0;
    (void)snprintf(webhook->why, DESTINATION_WHY, "%s", detail);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg; /* the loop only has to turn */
}

/* "Bearer <token>" into `value`, of TOKEN_ROOM bytes; whoever called wipes that. Read anew each time, so that
 * a token can be replaced. NULL, or what is wrong (static). */
static const char *authorization(const struct config_secret *token, char *value, size_t *length)
{
    static const size_t scheme = sizeof SCHEME - 1;
    struct span secret;

    memcpy(value, SCHEME, scheme);
    const char *fault = secret_source_read(token, value + scheme, &secret);
    *length = scheme + secret.length;
    return fault;
}

static bool token_fault(const struct config_secret *token, const char *fault, char *why)
{
    if (fault != NULL)
        secret_source_complain("ship.webhook_token", token, fault, why, DESTINATION_WHY);
    return fault == NULL;
}

static void close_webhook(void *destination)
{
    struct webhook *webhook = destination;

    if (webhook == NULL)
        return;
    upstream_free(webhook->upstream);
    upstream_shared_free(webhook->shared);
    if (webhook->tick != NULL)
        event_free(webhook->tick);
    if (webhook->base != NULL)
        event_base_free(webhook->base);
    place_webhook_free(&webhook->place);
    free(webhook);
}

static void configure(struct webhook *webhook, const struct config *config)
{
    struct config *own = &webhook->config;

    own->upstream.tls = webhook->place.origin.tls;
    own->upstream.host = webhook->place.origin.host;
    own->upstream.port = webhook->place.origin.port;
    own->upstream.authority = webhook->place.origin.authority;
    own->upstream.ca_file = config->ship.ca_file;
    own->upstream.connections = own->upstream.idle_connections = own->upstream.queue = 1;
    own->upstream.connect_timeout_ms = 5 * SECOND;
    own->upstream.first_byte_timeout_ms = 15 * SECOND;
    own->upstream.total_timeout_ms = 30 * SECOND;
    own->upstream.idle_timeout_ms = 15 * SECOND;
    own->upstream.header_bytes = own->upstream.json_bytes = 65536;
    own->upstream.resolve_interval_s = 60;
}

static bool make_loop(struct webhook *webhook, char *error, size_t error_size)
{
    (void)snprintf(error, error_size, "memory or descriptors are out");
    webhook->base = event_base_new();
    if (webhook->base == NULL)
        return false;
    webhook->tick = event_new(webhook->base, -1, EV_PERSIST, on_tick, NULL);
    webhook->shared = webhook->tick ? upstream_shared_new(&webhook->config, error, error_size) : NULL;
    if (webhook->shared == NULL)
        return false;
    webhook->upstream = upstream_new(webhook->base, webhook->shared);
    return webhook->upstream != NULL;
}

static bool token_is_right(const struct webhook *webhook, char *why)
{
    char value[TOKEN_ROOM];
    size_t length;

    if (!secret_source_given(webhook->token))
        return true;
    bool right = token_fault(webhook->token, authorization(webhook->token, value, &length), why);
    explicit_bzero(value, sizeof value);
    return right;
}

static void *open_webhook(const struct config *config, const struct stopping *stopping, char *error,
                          size_t error_size)
{
    struct webhook *webhook = calloc(1, sizeof *webhook);
    char why[DESTINATION_WHY] = "memory is out";

    if (webhook != NULL) {
        webhook->token = &config->ship.webhook_token;
        webhook->stopping = stopping;
        const char *wrong = place_webhook_parse(config->ship.webhook, &webhook->place);
        configure(webhook, config);
        if (wrong != NULL)
            (void)snprintf(why, sizeof why, "ship.webhook %s", wrong);
        else if (token_is_right(webhook, why) && make_loop(webhook, why, sizeof why))
            return webhook;
    }
    (void)snprintf(error, error_size, "%s", why);
    close_webhook(webhook);
    return NULL;
}

/* Runs the loop until the request has ended, or the stop's last moment has come. */
static void await(struct webhook *webhook)
{
    const struct timeval look = {0, LOOK_US};

    (void)event_add(webhook->tick, &look);
    while (webhook->call != NULL && !stopping_over(webhook->stopping))
        (void)event_base_loop(webhook->base, EVLOOP_ONCE);
    (void)event_del(webhook->tick);
    if (webhook->call == NULL)
        return;
    upstream_cancel(webhook->call);
    webhook->call = NULL;
    webhook->status = 0;
    (void)snprintf(webhook->why, DESTINATION_WHY, "no answer before the gate's end");
}

static bool post(struct webhook *webhook, const struct batch *batch, struct span bearer)
{
    static const struct upstream_events events = {on_head, on_body, on_end, on_fail};
    char range[48];
    const struct field fields[] = {
        {SPAN("Content-Type"), SPAN("application/x-ndjson")},
        {SPAN("User-Agent"), SPAN("portcullis/" PORTCULLIS_VERSION)},
        {SPAN("Portcullis-Seq"), {range, 0}},
        {SPAN("Authorization"), bearer},
    };
    struct field sent[sizeof fields / sizeof *fields];
    size_t count = sizeof fields / sizeof *fields - (bearer.length > 0 ? 0 : 1);

    memcpy(sent, fields, sizeof fields);
    sent[2].value.length =
        (size_t)snprintf(range, sizeof range, "%" PRIu64 "-%" PRIu64, batch->first_seq + batch->taken,
                         batch->first_seq + batch->count - 1);
    const struct upstream_request request = {
        .method = "POST",
        .target = span_of(webhook->place.target),
        .fields = sent,
        .field_count = count,
        .body = batch_rest(batch),
        .idempotent = true, /* the receiver knows each line by its number */
    };
    (void)event_base_loop(webhook->base, EVLOOP_NONBLOCK); /* connections that were closed meanwhile */
    webhook->call = upstream_start(webhook->upstream, &request, &events, webhook);
    return webhook->call != NULL;
}

static bool ship_batch(void *destination, struct batch *batch, char why[static DESTINATION_WHY])
{
    struct webhook *webhook = destination;
    char value[TOKEN_ROOM];
    size_t length = 0;

    webhook->status = 0;
    webhook->why = why;
    bool right = !secret_source_given(webhook->token) ||
                 token_fault(webhook->token, authorization(webhook->token, value, &length), why);
    bool begun = right && post(webhook, batch, (struct span){value, length});
    explicit_bzero(value, sizeof value);
    if (!begun) {
        if (right)
            (void)snprintf(why, DESTINATION_WHY, "memory is out");
        return false;
    }
    await(webhook);
    if (webhook->status / 100 == 2)
        batch->taken = batch->count;
    else if (webhook->status != 0)
        (void)snprintf(why, DESTINATION_WHY, "%s answered %d", webhook->place.origin.authority,
                       webhook->status);
    return webhook->status / 100 == 2;
}

static bool reload(void *destination, char *error, size_t error_size)
{
    const struct webhook *webhook = destination;
    char fault[256];

    if (upstream_shared_reload(webhook->shared, fault, sizeof fault))
        return true;
    const char *reason = strstr(fault, ": "); /* behind the setting's name, which is another one here */
    (void)snprintf(error, error_size, "%s", reason != NULL ? reason + 2 : fault);
    return false;
}

const struct destination destination_webhook = {.name = "webhook",
                                                .linger_us = 1000000,
                                                .wanted = wanted,
                                                .open = open_webhook,
                                                .ship = ship_batch,
                                                .reload = reload,
                                                .close = close_webhook};
