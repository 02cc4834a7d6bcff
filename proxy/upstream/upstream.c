#include "proxy/upstream/upstream.h"
#include "proxy/base/clock.h"
#include "proxy/upstream/message.h"
#include "proxy/upstream/upstream_internal.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

void upstream_take_addresses(struct upstream *upstream)
{
    struct addresses *addresses = NULL;
    char fault[1];
    if (resolver_addresses(upstream->shared->resolver, &addresses, fault, sizeof(fault)) != RESOLVER_READY)
        return;
    addresses_release(upstream->addresses);
    upstream->addresses = addresses;
}

static void on_pump(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    pool_pump(arg);
}

static void on_settle(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    pool_settle(arg);
}

/* A look-up ended: connections that wait for it go on. */
static void on_resolved(evutil_socket_t fd, short what, void *arg)
{
    struct upstream *upstream = arg;
    int64_t now = clock_monotonic_us();
    uint64_t count;
    (void)what;
    if (read(fd, &count, sizeof(count)) < 0)
        return;
    upstream_take_addresses(upstream);
    /* A connection that fails leaves the list, and its owner may start others: they stand behind it. */
    struct connection *connection, *next;
    for (connection = TAILQ_FIRST(&upstream->busy); connection != NULL; connection = next) {
        next = TAILQ_NEXT(connection, entry);
        connection_resolved(connection);
        if (connection->call != NULL)
            upstream_due(upstream, call_due(connection->call), now);
    }
}

/* Collects first and acts then: whoever is told may end other calls. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct upstream *upstream = arg;
    struct call_list *const lists[] = {&upstream->waiting, &upstream->active};
    struct upstream_call *call, *next;
    int64_t now = clock_monotonic_us(), due = INT64_MAX;
    (void)fd;
    (void)what;

    upstream->timer_due = INT64_MAX;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        for (call = TAILQ_FIRST(lists[i]); call != NULL; call = next) {
            next = TAILQ_NEXT(call, entry);
            int64_t its = call_due(call);
            if (its <= now)
                call_move(call, &upstream->expired);
            else if (its < due)
                due = its;
        }
    }
    while ((call = TAILQ_FIRST(&upstream->expired)) != NULL) {
        call_move(call, call->stage == CALL_WAITING ? &upstream->waiting : &upstream->active);
        call_expire(call, now);
        if (call->stage != CALL_OVER && call_due(call) < due)
            due = call_due(call);
    }
    pool_expire(upstream, now);
    upstream_due(upstream, due, now);
    upstream_due(upstream, pool_due(upstream), now);
}

void upstream_due(struct upstream *upstream, int64_t due, int64_t now)
{
    if (due >= upstream->timer_due)
        return;
    int64_t delay = due > now ? due - now : 0;
    const struct timeval wait = {delay / 1000000, delay % 1000000};
    upstream->timer_due = due;
    event_add(&upstream->timer, &wait);
}

struct upstream *upstream_new(struct event_base *base, struct upstream_shared *shared)
{
    struct upstream *upstream = calloc(1, sizeof(*upstream));
    if (upstream == NULL)
        return NULL;
    upstream->base = base;
    upstream->shared = shared;
    upstream->config = shared->config;
    upstream->timer_due = INT64_MAX;
    queue_begin(&upstream->queue);
    upstream->congestion.target_us = shared->config->upstream.queue_wait_ms * INT64_C(1000);
    TAILQ_INIT(&upstream->waiting);
    TAILQ_INIT(&upstream->active);
    TAILQ_INIT(&upstream->expired);
    TAILQ_INIT(&upstream->over);
    TAILQ_INIT(&upstream->idle);
    TAILQ_INIT(&upstream->busy);
    TAILQ_INIT(&upstream->closed);

    upstream->watch.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (upstream->watch.fd < 0)
        goto fail_upstream;
    event_assign(&upstream->pump, base, -1, 0, on_pump, upstream);
    event_assign(&upstream->timer, base, -1, 0, on_timer, upstream);
    event_assign(&upstream->settle, base, -1, 0, on_settle, upstream);
    event_assign(&upstream->resolved, base, upstream->watch.fd, EV_READ | EV_PERSIST, on_resolved, upstream);
    if (event_add(&upstream->resolved, NULL) != 0)
        goto fail_watch;
    resolver_watch(shared->resolver, &upstream->watch);
    upstream_take_addresses(upstream);
    return upstream;

fail_watch:
    close(upstream->watch.fd);
fail_upstream:
    free(upstream);
    return NULL;
}

void upstream_free(struct upstream *upstream)
{
    if (upstream == NULL)
        return;
    while (!TAILQ_EMPTY(&upstream->idle))
        pool_drop(TAILQ_FIRST(&upstream->idle));
    pool_sweep(upstream);
    pool_free_spare(upstream);
    resolver_unwatch(upstream->shared->resolver, &upstream->watch);
    event_del(&upstream->pump);
    event_del(&upstream->timer);
    event_del(&upstream->settle);
    event_del(&upstream->resolved);
    close(upstream->watch.fd);
    tls_forget(&upstream->memory);
    addresses_release(upstream->addresses);
    queue_end(&upstream->queue);
    free(upstream);
}

struct upstream_call *upstream_start(struct upstream *upstream, const struct upstream_request *request,
                                     const struct upstream_events *events, void *arg)
{
    bool safe = message_is_safe(request);
    const char *authority = upstream->config->upstream.authority;
    size_t length = safe ? message_write(NULL, request, authority) : 0;
    struct upstream_call *call = calloc(1, sizeof(*call) + length);
    if (call == NULL || !queue_reserve(&upstream->queue)) {
        free(call);
        return NULL;
    }
    if (safe)
        message_write(call->request, request, authority);
    call->length = length;
    call->unsafe = !safe;
    call->upstream = upstream;
    call->events = *events;
    call->arg = arg;
    call->idempotent = request->idempotent;
    call->head_request = strcmp(request->method, "HEAD") == 0;

    int64_t now = clock_monotonic_us();
    call->place = (struct place){.owner = request->owner, .firm = !request->idempotent, .since_us = now};
    call->total_due = now + upstream->config->upstream.total_timeout_ms * INT64_C(1000);
    call->last_due = request->due_us != 0 ? request->due_us : INT64_MAX;
    call->list = &upstream->waiting;
    TAILQ_INSERT_TAIL(&upstream->waiting, call, entry);
    upstream->waiting_count++;
    queue_add(&upstream->queue, &call->place);
    upstream_due(upstream, call_due(call), now);
    pool_schedule(upstream);
    return call;
}

bool upstream_is_full(const struct upstream *upstream)
{
    size_t busy = upstream->busy_count, slots = upstream->config->upstream.connections;
    size_t room = upstream->config->upstream.queue + (busy < slots ? slots - busy : 0);

    return upstream->congestion.congested || (upstream->waiting_count > 0 && upstream->waiting_count >= room);
}

void upstream_cancel(struct upstream_call *call)
{
    if (call->stage != CALL_OVER)
        call_over(call);
}

void upstream_pause(struct upstream_call *call)
{
    if (call->paused || call->stage == CALL_OVER)
        return;
    call->paused = true;
    call->paused_at = clock_monotonic_us();
    if (call->stage == CALL_RUNNING && call->written == call->length)
        connection_pause(call->connection);
}

void upstream_resume(struct upstream_call *call)
{
    if (!call->paused || call->stage == CALL_OVER)
        return;
    int64_t now = clock_monotonic_us();
    call->paused = false;
    call->total_due += now - call->paused_at;
    call->first_due += now - call->paused_at;
    if (call->connection != NULL)
        connection_resume(call->connection);
    upstream_due(call->upstream, call_due(call), now);
}
