#include "proxy/base/clock.h"
#include "proxy/base/log.h"
#include "proxy/upstream/upstream_internal.h"

#include <limits.h>

#define LOG_EVERY_S 1
#define LOOK_AT     16 /* idle connections of an owner, at most */
#define SLACK       2  /* requests more under way than elsewhere that are better than a new connection */

void pool_schedule(struct upstream *upstream)
{
    event_active(&upstream->pump, EV_READ, 0);
}

static struct shelf *shelf_of(struct upstream *upstream, const struct upstream_owner *owner)
{
    return &upstream->shelves[owner->words[0] % SHELVES];
}

static void leave_idle(struct connection *connection)
{
    struct upstream *upstream = connection->pool;
    TAILQ_REMOVE(&upstream->idle, connection, entry);
    LIST_REMOVE(connection, shelf);
    upstream->idle_count--;
}

/* Where the next answer is read into: a few of these serve all connections, so that they stay in the caches
 * of the CPU; NULL when memory is out. */
static struct answer *take_answer(struct upstream *upstream)
{
    if (upstream->spare_count > 0)
        return upstream->spare[--upstream->spare_count];
    return answer_new(upstream->config->upstream.header_bytes);
}

/* A connection that rests needs none. */
static void put_answer(struct upstream *upstream, struct connection *connection)
{
    if (upstream->spare_count < SPARE_ANSWERS)
        upstream->spare[upstream->spare_count++] = connection->answer;
    else
        answer_free(connection->answer);
    connection->answer = NULL;
}

void pool_drop(struct connection *connection)
{
    struct upstream *upstream = connection->pool;
    bool idle = connection->call == NULL;
    if (idle) {
        leave_idle(connection);
    } else {
        TAILQ_REMOVE(&upstream->busy, connection, entry);
        upstream->busy_count--;
    }
    TAILQ_INSERT_TAIL(&upstream->closed, connection, entry);
    connection->call = NULL;
    connection_close(connection, idle);
    pool_schedule(upstream);
}

void pool_keep(struct connection *connection)
{
    struct upstream *upstream = connection->pool;
    int64_t now = clock_monotonic_us();
    connection_resume(connection);
    connection_rest(connection);
    put_answer(upstream, connection);
    connection->call = NULL;
    connection->served = true;
    connection->idle_since = now;
    connection->rested = false;
    if (!upstream->settling) {
        const struct timeval next_turn = {0, 0};
        upstream->settling = event_add(&upstream->settle, &next_turn) == 0;
    }
    TAILQ_REMOVE(&upstream->busy, connection, entry);
    upstream->busy_count--;
    TAILQ_INSERT_HEAD(&upstream->idle, connection, entry);
    LIST_INSERT_HEAD(shelf_of(upstream, &connection->owner), connection, shelf);
    if (++upstream->idle_count > upstream->config->upstream.idle_connections)
        pool_drop(TAILQ_LAST(&upstream->idle, connection_list));
    upstream_due(upstream, pool_due(upstream), now);
    pool_schedule(upstream);
}

/* Nobody asked an idle connection anything: more than TLS's own messages is the end of it. False when it is
 * gone. */
static bool look_at_idle(struct connection *connection)
{
    static struct log_limit limit;
    unsigned long held;
    enum connection_silence silence = connection_listen(connection);
    if (silence == CONNECTION_QUIET)
        return true;
    if (silence == CONNECTION_SPEAKS)
        connection->shared->surplus++;
    if (silence == CONNECTION_SPEAKS && log_allow(&limit, LOG_EVERY_S, &held))
        log_event(LOG_WARNING, "upstream-surplus",
                  "the upstream said more than it was asked on an idle connection, which is closed "
                  "(%lu more such events not shown)",
                  held);
    pool_drop(connection);
    return false;
}

static void on_ready(struct connection *connection)
{
    call_run(connection->call);
}

static void on_failed(struct connection *connection, enum upstream_failure failure, const char *detail)
{
    call_lost(connection->call, failure, detail);
}

static void on_readable(struct connection *connection)
{
    if (connection->call != NULL)
        call_read(connection->call);
    else
        look_at_idle(connection);
}

static void on_writable(struct connection *connection)
{
    if (connection->call != NULL)
        call_write(connection->call);
}

static const struct connection_events pool_events = {on_ready, on_failed, on_readable, on_writable};

/* A timer of no time runs when the loop has asked the kernel anew and has told of what it found: a connection
 * that is idle still had nothing to say. New ones stand at the head. */
void pool_settle(struct upstream *upstream)
{
    struct connection *connection;
    upstream->settling = false;
    for (connection = TAILQ_FIRST(&upstream->idle); connection != NULL && !connection->rested;
         connection = TAILQ_NEXT(connection, entry))
        connection->rested = true;
}

/* Is its address still where a request should go? When no address is up, each is as good as the others. */
static bool is_well_placed(const struct upstream *upstream, const struct connection *connection)
{
    const struct address *address = connection->address;
    return address->listed && (address->ejected_until == 0 || balance_least(upstream->addresses) == UINT_MAX);
}

/* Bytes that came since the loop last asked would be read as the answer to the next request: a connection
 * that has not rested for a turn is looked at, at the price of a recv. For a mutation each is: a connection
 * that turns out to be dead only behind the request leaves nobody knowing what became of that. */
static bool is_fit(struct upstream *upstream, struct connection *connection, bool idempotent)
{
    if (is_well_placed(upstream, connection))
        return (connection->rested && idempotent) || look_at_idle(connection);
    pool_drop(connection);
    return false;
}

/* The idle connection of the call's owner whose address has the fewest requests under way, the newest of
 * equals; or NULL. */
static struct connection *find_idle(struct upstream *upstream, const struct upstream_call *call)
{
    struct connection *connection, *next, *best = NULL;
    unsigned looked_at = 0;
    if (upstream->addresses == NULL)
        return NULL;
    for (connection = LIST_FIRST(shelf_of(upstream, &call->place.owner)); connection != NULL;
         connection = next) {
        next = LIST_NEXT(connection, shelf);
        if (!owner_equal(&connection->owner, &call->place.owner) ||
            (best != NULL && connection->address->outstanding >= best->address->outstanding) ||
            !is_fit(upstream, connection, call->idempotent))
            continue;
        best = connection;
        if (upstream->addresses->count == 1 || ++looked_at == LOOK_AT)
            break;
    }
    return best;
}

/* Is there a reason to connect anew, though `idle` could be had? */
static bool prefers_fresh(const struct upstream *upstream, const struct upstream_call *call,
                          const struct connection *idle)
{
    const struct addresses *addresses = upstream->addresses;
    if (call->idempotent && !balance_all_up(addresses) &&
        balance_wants_probe(addresses, clock_monotonic_us()))
        return true;
    unsigned least = balance_least(addresses);
    return addresses->count > 1 && least != UINT_MAX && idle->address->outstanding > least + SLACK;
}

static void connect_for(struct upstream *upstream, struct upstream_call *call)
{
    struct connection *connection =
        connection_new(upstream->base, upstream->shared, &upstream->memory, &pool_events, upstream);
    if (connection == NULL) {
        call_fail(call, UPSTREAM_OVERLOADED, "out of memory");
        return;
    }
    int64_t now = clock_monotonic_us();
    connection->owner = call->place.owner;
    upstream->busy_count++;
    TAILQ_INSERT_TAIL(&upstream->busy, connection, entry);
    call_attach(call, connection);
    connection_begin(connection, call->idempotent, upstream->turn++, now);
    upstream_due(upstream, call_due(call), now);
}

/* Gives a waiting call what it needs; false when it must wait on. */
static bool serve(struct upstream *upstream, struct upstream_call *call)
{
    if (call->unsafe) {
        call_fail(call, UPSTREAM_INVALID, "the request holds what must not be sent");
        return true;
    }
    if (upstream->busy_count >= upstream->config->upstream.connections)
        return false;

    struct connection *idle = call->fresh ? NULL : find_idle(upstream, call);
    if (idle != NULL && !prefers_fresh(upstream, call, idle)) {
        idle->answer = take_answer(upstream);
        if (idle->answer == NULL) {
            call_fail(call, UPSTREAM_OVERLOADED, "out of memory");
            return true;
        }
        leave_idle(idle);
        connection_occupy(idle);
        upstream->busy_count++;
        TAILQ_INSERT_TAIL(&upstream->busy, idle, entry);
        call_attach(call, idle);
        call_run(call);
        return true;
    }
    connect_for(upstream, call);
    return true;
}

void pool_sweep(struct upstream *upstream)
{
    struct upstream_call *call;
    while ((call = TAILQ_FIRST(&upstream->over)) != NULL) {
        TAILQ_REMOVE(&upstream->over, call, entry);
        queue_release(&upstream->queue);
        free(call);
    }
    struct connection *connection;
    while ((connection = TAILQ_FIRST(&upstream->closed)) != NULL) {
        TAILQ_REMOVE(&upstream->closed, connection, entry);
        connection_free(connection);
    }
}

void pool_free_spare(struct upstream *upstream)
{
    while (upstream->spare_count > 0)
        answer_free(upstream->spare[--upstream->spare_count]);
}

static struct upstream_call *call_at(struct place *place)
{
    return place != NULL ? (void *)((char *)place - offsetof(struct upstream_call, place)) : NULL;
}

/* Serves whoever is next, as long as that can be done. */
static void serve_all(struct upstream *upstream, int64_t now)
{
    struct upstream_call *call;
    while ((call = call_at(queue_first(&upstream->queue))) != NULL && serve(upstream, call))
        if (upstream->congestion.standing)
            congestion_served(&upstream->congestion, now - call->place.since_us);
}

/* Sends the newest away, as long as more wait than may, or than can be served in time. What may have been
 * recorded as intended is not sent away. */
static void shed(struct upstream *upstream, int64_t now)
{
    const struct upstream_call *oldest = TAILQ_FIRST(&upstream->waiting);
    size_t room = congestion_room(&upstream->congestion, now - oldest->place.since_us, now);
    bool late = room < upstream->config->upstream.queue;
    size_t most = late ? room : upstream->config->upstream.queue;
    while (upstream->queue.yielding > most)
        call_fail(call_at(queue_newest(&upstream->queue)), UPSTREAM_OVERLOADED,
                  late ? "requests wait too long for a connection (upstream.queue_wait_ms)"
                       : "too many requests wait for a connection (upstream.queue)");
}

void pool_pump(struct upstream *upstream)
{
    int64_t now = upstream->congestion.standing ? clock_monotonic_us() : 0;
    serve_all(upstream, now);
    if (TAILQ_EMPTY(&upstream->waiting)) {
        congestion_end(&upstream->congestion);
    } else {
        now = now != 0 ? now : clock_monotonic_us();
        congestion_begin(&upstream->congestion, now);
        shed(upstream, now);
    }
    pool_sweep(upstream);
}

int64_t pool_due(const struct upstream *upstream)
{
    const struct connection *oldest = TAILQ_LAST(&upstream->idle, connection_list);
    return oldest ? oldest->idle_since + upstream->config->upstream.idle_timeout_ms * INT64_C(1000)
                  : INT64_MAX;
}

void pool_expire(struct upstream *upstream, int64_t now)
{
    while (pool_due(upstream) <= now)
        pool_drop(TAILQ_LAST(&upstream->idle, connection_list));
}
