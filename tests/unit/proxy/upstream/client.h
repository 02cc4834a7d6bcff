/* The client under test in an event loop of its own, and what its calls were told. */
#ifndef TESTS_UNIT_PROXY_UPSTREAM_CLIENT_H
#define TESTS_UNIT_PROXY_UPSTREAM_CLIENT_H

#include "policies/text.h"
#include "proxy/base/clock.h"
#include "proxy/upstream/upstream_internal.h"
#include "tests/unit/proxy/upstream/peer.h"

#define PATIENCE_US INT64_C(10000000) /* after which a test gives up waiting */

struct client {
    int64_t due_us; /* given with each request; 0 for none */
    struct config config;
    char authority[64], url[80];
    struct event_base *base;
    struct upstream_shared *shared;
    struct upstream *upstream;
};

/* What one call was told. */
struct told {
    struct client *client;
    struct upstream_call *call; /* NULL once it is gone */
    int heads, ends, fails;
    int status;
    int64_t length;
    struct text fields, body;
    size_t bytes;    /* of the body */
    bool count_only; /* the body's bytes are not kept */
    enum upstream_failure failure;
    char detail[256];
    bool sent;
    void (*on_head)(struct told *told);
    void (*on_body)(struct told *told);
    void (*on_over)(struct told *told);
    void *data;
    struct upstream_owner owner; /* of the request, set beforehand */
};

static inline void told_head(void *arg, const struct upstream_answer *answer)
{
    struct told *told = arg;
    assert_int_equal(told->heads + told->ends + told->fails, 0);
    told->heads++;
    told->status = answer->status;
    told->length = answer->length;
    for (size_t i = 0; i < answer->field_count; i++)
        text_add_format(&told->fields, "%.*s: %.*s\n", (int)answer->fields[i].name.length,
                        answer->fields[i].name.data, (int)answer->fields[i].value.length,
                        answer->fields[i].value.data);
    if (told->on_head)
        told->on_head(told);
}

static inline void told_body(void *arg, struct span piece)
{
    struct told *told = arg;
    assert_int_equal(told->heads, 1);
    assert_int_equal(told->ends + told->fails, 0);
    assert_true(piece.length > 0);
    told->bytes += piece.length;
    if (!told->count_only)
        text_add(&told->body, piece.data, piece.length);
    if (told->on_body)
        told->on_body(told);
}

static inline void told_end(void *arg)
{
    struct told *told = arg;
    assert_int_equal(told->heads, 1);
    assert_int_equal(told->ends + told->fails, 0);
    told->ends++;
    if (told->on_over)
        told->on_over(told);
    told->call = NULL;
}

static inline void told_fail(void *arg, enum upstream_failure failure, const char *detail, bool sent)
{
    struct told *told = arg;
    assert_int_equal(told->ends + told->fails, 0);
    told->fails++;
    told->failure = failure;
    told->sent = sent;
    snprintf(told->detail, sizeof(told->detail), "%s", detail);
    if (told->on_over)
        told->on_over(told);
    told->call = NULL;
}

static const struct upstream_events told_events = {told_head, told_body, told_end, told_fail};

static inline void told_free(struct told *told)
{
    text_free(&told->fields);
    text_free(&told->body);
}

static inline const char *told_text(const struct text *text)
{
    return text->data ? text->data : "";
}

/* A configuration that suits most tests; to be changed before client_begin. */
static inline void client_prepare(struct client *client, const char *host, uint16_t port, bool tls)
{
    *client = (struct client){0};
    snprintf(client->authority, sizeof(client->authority), "%s:%u", host, (unsigned)port);
    snprintf(client->url, sizeof(client->url), "%s://%s", tls ? "https" : "http", client->authority);
    client->config.upstream.url = client->url;
    client->config.upstream.tls = tls;
    client->config.upstream.host = (char *)(uintptr_t)host;
    client->config.upstream.port = port;
    client->config.upstream.authority = client->authority;
    client->config.upstream.connections = 8;
    client->config.upstream.idle_connections = 8;
    client->config.upstream.queue = 64;
    client->config.upstream.connect_timeout_ms = 5000;
    client->config.upstream.first_byte_timeout_ms = 5000;
    client->config.upstream.total_timeout_ms = 8000;
    client->config.upstream.idle_timeout_ms = 60000;
    client->config.upstream.header_bytes = 16384;
    client->config.upstream.json_bytes = 1 << 20;
    client->config.upstream.resolve_interval_s = 60;
    client->config.upstream.eject_failures = 5;
    client->config.upstream.eject_seconds = 10;
}

static inline void client_begin(struct client *client)
{
    char error[256] = "";
    struct event_config *config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST); /* as the workers' loops are made */
    client->base = event_base_new_with_config(config);
    event_config_free(config);
    assert_non_null(client->base);
    client->shared = upstream_shared_new(&client->config, error, sizeof(error));
    if (client->shared == NULL)
        print_error("%s\n", error);
    assert_non_null(client->shared);
    client->upstream = upstream_new(client->base, client->shared);
    assert_non_null(client->upstream);
}

/* Connections that it has, busy and idle. */
static inline size_t client_connections(const struct client *client)
{
    return client->upstream->busy_count + client->upstream->idle_count;
}

static inline void client_end(struct client *client)
{
    upstream_free(client->upstream);
    upstream_shared_free(client->shared);
    event_base_free(client->base);
}

static inline void client_of(struct client *client, const struct peer *peer)
{
    client_prepare(client, "127.0.0.1", peer->port, false);
    client_begin(client);
}

static inline void client_start(struct client *client, struct told *told, const char *method,
                                const char *target, struct span body)
{
    static const struct field fields[] = {{{"Authorization", 13}, {"Token hush-hush", 15}}};
    const bool safe = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    const struct upstream_request request = {
        .method = method,
        .target = span_of(target),
        .fields = fields,
        .field_count = 1,
        .body = body,
        .due_us = client->due_us,
        .idempotent = safe,
        .owner = told->owner,
    };
    told->client = client;
    told->call = upstream_start(client->upstream, &request, &told_events, told);
    assert_non_null(told->call);
    assert_int_equal(told->heads + told->ends + told->fails, 0); /* never from within */
}

static inline void client_get(struct client *client, struct told *told)
{
    client_start(client, told, "GET", "/rest/x?version=1", (struct span){NULL, 0});
}

static inline void client_delete(struct client *client, struct told *told)
{
    client_start(client, told, "DELETE", "/rest/x?version=1", (struct span){NULL, 0});
}

static inline void client_nothing(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

/* One turn of the loop, of 20 ms at most. */
static inline void client_turn(struct client *client)
{
    const struct timeval tick = {0, 20000};
    struct event *timer = event_new(client->base, -1, 0, client_nothing, NULL);
    event_add(timer, &tick);
    event_base_loop(client->base, EVLOOP_ONCE);
    event_free(timer);
}

/* Turns the loop until `condition`; fails the test when that does not come. */
#define CLIENT_UNTIL(client, condition)                                                                      \
    do {                                                                                                     \
        int64_t give_up = clock_monotonic_us() + PATIENCE_US;                                                \
        while (!(condition)) {                                                                               \
            assert_true(clock_monotonic_us() < give_up);                                                     \
            client_turn(client);                                                                             \
        }                                                                                                    \
    } while (0)

static inline void client_finish(struct client *client, struct told *told)
{
    CLIENT_UNTIL(client, told->ends + told->fails > 0);
}

/* The call ended well, with that status and body. */
static inline void expect_answer(const struct told *told, int status, const char *body)
{
    if (told->fails)
        print_error("failed: %d, %s\n", (int)told->failure, told->detail);
    assert_int_equal(told->fails, 0);
    assert_int_equal(told->ends, 1);
    assert_int_equal(told->status, status);
    assert_string_equal(told_text(&told->body), body);
}

static inline void expect_failure(const struct told *told, enum upstream_failure failure, bool sent,
                                  const char *word)
{
    assert_int_equal(told->fails, 1);
    if (told->failure != failure || strstr(told->detail, word) == NULL)
        print_error("%d: %s\n", (int)told->failure, told->detail);
    assert_int_equal(told->failure, failure);
    assert_int_equal(told->sent, sent);
    assert_non_null(strstr(told->detail, word));
}

#endif
