#include "proxy/worker/worker.h"

#include "proxy/audit/journal.h"
#include "proxy/base/log.h"
#include "proxy/listen/sockets.h"
#include "proxy/observe/access_log.h"
#include "proxy/upstream/status.h"
#include "proxy/worker/client.h"
#include "proxy/worker/exchange.h"
#include "proxy/worker/incoming.h"
#include "proxy/worker/listener.h"
#include "proxy/worker/unauthenticated.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS          100
#define LINES_HANDOVER   (32 * 1024)
#define TURNED_AWAY_MOST 64 /* at a time; the kernel holds those beyond */

/* Says that the loop turns, and what it has in hand. */
static void publish(struct worker *worker, int64_t now)
{
    struct tally *tally = &worker->tally;
    struct upstream_pool pool;

    upstream_pool(worker->upstream, &pool);
    figure_set(&tally->pool_busy, pool.busy);
    figure_set(&tally->pool_idle, pool.idle);
    figure_set(&tally->pool_waiting, pool.waiting);
    figure_set(&tally->exchanges, worker->exchange_count);
    figure_set(&tally->held_bytes, worker->held);
    atomic_store_explicit(&worker->ticked_us, now, memory_order_relaxed);
}

static void note_lag(struct worker *worker, int64_t now)
{
    unsigned bound_ms = worker->service->config->limits.loop_lag_ms;
    bool lagged = worker->lagging;

    worker->lagging = lag_tick(&worker->lag, TICK_MS * 1000, bound_ms * INT64_C(1000), now);
    if (worker->lagging && !lagged)
        log_event(LOG_WARNING, "overload",
                  "worker %u is %u ms late or more (limits.loop_lag_ms): it answers 503 for now",
                  worker->index, bound_ms);
}

/* Descriptors or memory for a connection are out: said once, until it is over. */
static void note_starvation(struct worker *worker, int reason, int64_t now)
{
    worker->starved = true;
    if (!room_fail(&worker->service->room, now))
        return;
    COUNT(worker->service, starvations);
    log_event(LOG_WARNING, "accept",
              "no more connections are accepted for now: %s; those that are open are served, others wait",
              strerror(reason));
}

/* Is there a descriptor to be had again? Rather asked than tried: an accept that fails leaves the connection
 * in the kernel's queue, and the loop would spin. */
static bool has_descriptors(struct worker *worker, int64_t now)
{
    int probe = worker->starved ? fcntl(worker->wake_fd, F_DUPFD_CLOEXEC, 0) : -1;

    if (probe >= 0) {
        (void)close(probe);
        worker->starved = false;
    } else if (worker->starved) {
        note_starvation(worker, errno, now);
    }
    return !worker->starved;
}

static void on_tick(int fd, short what, void *arg)
{
    struct worker *worker = arg;
    struct client *client, *next;
    int64_t now = clock_monotonic_us();
    (void)fd;
    (void)what;

    publish(worker, now);
    note_lag(worker, now);
    for (client = TAILQ_FIRST(&worker->clients); client != NULL; client = next) {
        next = TAILQ_NEXT(client, link);
        client_tick(client, now);
    }
    if (worker->lines.length > 0)
        access_log_hand(worker->service->access_log, &worker->lines);
    unauthenticated_record(worker, now, false);
    if (!worker->stopping)
        worker_accept(worker, has_descriptors(worker, now) && worker_has_room(worker));
    if (room_recovers(&worker->service->room, now))
        log_event(LOG_INFO, "accept", "connections are accepted again");
}

static void on_sweep(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    client_sweep(arg);
    worker_check_idle(arg);
}

/* Runs when the loop has looked at the sockets once more, so that connections which the kernel let in already
 * are served. */
static void on_last_accept(int fd, short what, void *arg)
{
    struct worker *worker = arg;
    (void)fd;
    (void)what;

    for (size_t i = 0; i < worker->listener_count; i++)
        listener_close(&worker->listeners[i]);
    worker->closed = true;
    worker_check_idle(worker);
}

static void begin_stop(struct worker *worker)
{
    const struct timeval soon = {0, 1000};
    struct client *client, *next;

    worker->stopping = true;
    if (event_add(&worker->last_accept, &soon) != 0)
        on_last_accept(-1, EV_TIMEOUT, worker);
    for (client = TAILQ_FIRST(&worker->clients); client != NULL; client = next) {
        next = TAILQ_NEXT(client, link);
        client_stop(client);
    }
    worker_check_idle(worker);
}

static void abort_all(struct worker *worker)
{
    struct client *client;

    while ((client = TAILQ_FIRST(&worker->clients)) != NULL) {
        if (client->exchange != NULL)
            exchange_abort(client->exchange);
        client_close(client);
    }
    (void)event_base_loopbreak(worker->base);
}

static void on_wake(int fd, short what, void *arg)
{
    struct worker *worker = arg;
    uint64_t count;
    (void)what;

    (void)!read(fd, &count, sizeof count);
    (void)pthread_mutex_lock(&worker->order_lock);
    struct ruleset *next = worker->ordered_ruleset;
    bool stop = worker->ordered_stop && !worker->stopping, end = worker->ordered_abort;
    worker->ordered_ruleset = NULL;
    (void)pthread_mutex_unlock(&worker->order_lock);

    if (next != NULL) {
        ruleset_release(worker->ruleset);
        worker->ruleset = next;
    }
    if (stop)
        begin_stop(worker);
    if (end)
        abort_all(worker);
}

bool worker_has_room(struct worker *worker)
{
    return client_prepare(worker) && worker->turned_away < TURNED_AWAY_MOST;
}

/* libevent tells an accept's failure with evhttp's argument, not ours: what is known is the base, and in it
 * the worker's own timer. */
static int find_worker(const struct event_base *base, const struct event *event, void *arg)
{
    struct worker **found = arg;
    (void)base;

    if (event_get_callback(event) == on_tick)
        *found = event_get_callback_arg(event);
    return *found != NULL;
}

void worker_starve(struct event_base *base)
{
    struct worker *worker = NULL;
    int reason = errno;

    (void)event_base_foreach_event(base, find_worker, &worker);
    if (worker == NULL)
        return;
    worker_accept(worker, false);
    note_starvation(worker, reason, clock_monotonic_us());
}

void worker_check_idle(struct worker *worker)
{
    if (worker->closed && TAILQ_EMPTY(&worker->clients) && worker->exchange_count == 0)
        (void)event_base_loopbreak(worker->base);
}

void worker_flush_lines(struct worker *worker)
{
    if (worker->lines.length >= LINES_HANDOVER)
        access_log_hand(worker->service->access_log, &worker->lines);
}

void worker_accept(struct worker *worker, bool accept)
{
    worker->accepting = accept;
    for (size_t i = 0; i < worker->listener_count; i++)
        listener_pause(&worker->listeners[i], !accept);
}

static struct event_base *make_base(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;

    if (config == NULL)
        return NULL;
    /* Only this thread touches the base, so it needs no locks; changes of interest are collected and told to
     * the kernel once a turn. */
    if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST) == 0)
        base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

static bool make_events(struct worker *worker)
{
    const struct timeval every = {0, TICK_MS * 1000};

    worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return worker->wake_fd >= 0 &&
           event_assign(&worker->tick, worker->base, -1, EV_PERSIST, on_tick, worker) == 0 &&
           event_assign(&worker->last_accept, worker->base, -1, 0, on_last_accept, worker) == 0 &&
           event_assign(&worker->sweep, worker->base, -1, 0, on_sweep, worker) == 0 &&
           event_assign(&worker->wake, worker->base, worker->wake_fd, EV_READ | EV_PERSIST, on_wake,
                        worker) == 0 &&
           event_add(&worker->tick, &every) == 0 && event_add(&worker->wake, NULL) == 0;
}

static bool make_parts(struct worker *worker)
{
    struct service *service = worker->service;

    return (worker->base = make_base()) != NULL && make_events(worker) &&
           (worker->scratch = pattern_scratch_new()) != NULL && (worker->tokens = jwt_memo_new()) != NULL &&
           (worker->versions = version_seen_new(service->versions)) != NULL &&
           (worker->port = journal_port_new(service->journal, worker->base)) != NULL &&
           (worker->upstream = upstream_new(worker->base, service->upstream)) != NULL &&
           client_prepare(worker);
}

static bool open_listeners(struct worker *worker, const struct socket_share *shares, size_t count)
{
    worker->listeners = calloc(count, sizeof *worker->listeners);
    bool opened = worker->listeners != NULL;

    for (size_t i = 0; i < count; i++) {
        if (!opened) {
            (void)close(shares[i].fd);
            continue;
        }
        worker->listener_count++;
        opened = listener_open(&worker->listeners[i], worker, shares[i].config, shares[i].fd);
    }
    return opened;
}

struct worker *worker_new(struct service *service, unsigned index, const struct socket_share *shares,
                          size_t count, struct ruleset *ruleset, char *error, size_t error_size)
{
    struct worker *worker = calloc(1, sizeof *worker);

    if (worker == NULL || pthread_mutex_init(&worker->order_lock, NULL) != 0) {
        (void)snprintf(error, error_size, "out of memory");
        for (size_t i = 0; i < count; i++)
            (void)close(shares[i].fd);
        free(worker);
        return NULL;
    }
    worker->service = service;
    worker->index = index;
    worker->wake_fd = -1;
    worker->ruleset = ruleset_hold(ruleset);
    TAILQ_INIT(&worker->clients);
    TAILQ_INIT(&worker->dead);
    SLIST_INIT(&worker->idle_exchanges);
    SLIST_INIT(&worker->idle_incoming);
    bool made = make_parts(worker);
    if (!open_listeners(worker, shares, count) || !made) {
        (void)snprintf(error, error_size, "worker %u: cannot set up: %s", index, strerror(errno));
        worker_free(worker);
        return NULL;
    }
    return worker;
}

static void *run(void *arg)
{
    struct worker *worker = arg;
    char name[16];

    (void)snprintf(name, sizeof name, "worker-%u", worker->index);
    (void)pthread_setname_np(pthread_self(), name);
    publish(worker, clock_monotonic_us());
    worker_accept(worker, true);
    (void)event_base_dispatch(worker->base);
    publish(worker, 0);
    unauthenticated_record(worker, 0, true);
    access_log_hand(worker->service->access_log, &worker->lines);
    return NULL;
}

int64_t worker_silence(const struct worker *worker, int64_t now_us)
{
    int64_t ticked = atomic_load_explicit(&worker->ticked_us, memory_order_relaxed);

    return ticked != 0 && now_us > ticked ? now_us - ticked : 0;
}

const struct tally *worker_tally(const struct worker *worker)
{
    return &worker->tally;
}

const struct shadow_tally *worker_shadow(const struct worker *worker)
{
    return &worker->shadow;
}

bool worker_start(struct worker *worker)
{
    return pthread_create(&worker->thread, NULL, run, worker) == 0;
}

static void order(struct worker *worker, struct ruleset *ruleset, bool stop, bool abort_now)
{
    const uint64_t one = 1;

    (void)pthread_mutex_lock(&worker->order_lock);
    if (ruleset != NULL) {
        ruleset_release(worker->ordered_ruleset);
        worker->ordered_ruleset = ruleset_hold(ruleset);
    }
    worker->ordered_stop |= stop;
    worker->ordered_abort |= abort_now;
    (void)pthread_mutex_unlock(&worker->order_lock);
    (void)!write(worker->wake_fd, &one, sizeof one);
}

void worker_swap(struct worker *worker, struct ruleset *ruleset)
{
    order(worker, ruleset, false, false);
}

void worker_stop(struct worker *worker)
{
    order(worker, NULL, true, false);
}

void worker_abort(struct worker *worker)
{
    order(worker, NULL, true, true);
}

bool worker_join(struct worker *worker, int64_t deadline_us)
{
    struct timespec until = {.tv_sec = deadline_us / 1000000, .tv_nsec = deadline_us % 1000000 * 1000};

    return pthread_clockjoin_np(worker->thread, NULL, CLOCK_MONOTONIC, &until) == 0;
}

static void free_events(struct worker *worker)
{
    if (worker->wake_fd < 0)
        return;
    (void)event_del(&worker->tick);
    (void)event_del(&worker->sweep);
    (void)event_del(&worker->last_accept);
    (void)event_del(&worker->wake);
    (void)close(worker->wake_fd);
}

void worker_free(struct worker *worker)
{
    if (worker == NULL)
        return;
    for (size_t i = 0; i < worker->listener_count; i++)
        listener_free(&worker->listeners[i]);
    free(worker->listeners);
    client_free_spare(worker);
    client_sweep(worker);
    exchange_free_idle(worker);
    incoming_free_idle(worker);
    upstream_free(worker->upstream);
    journal_port_free(worker->port);
    version_seen_free(worker->versions);
    pattern_scratch_free(worker->scratch);
    jwt_memo_free(worker->tokens);
    free_events(worker);
    if (worker->base != NULL)
        event_base_free(worker->base);
    ruleset_release(worker->ordered_ruleset);
    ruleset_release(worker->ruleset);
    text_free(&worker->lines);
    text_wipe(&worker->head);
    (void)pthread_mutex_destroy(&worker->order_lock);
    explicit_bzero(worker->buffer, sizeof worker->buffer);
    free(worker);
}
