#include "proxy/upstream/connection.h"
#include "proxy/base/clock.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#define FAR_US 1000

static void next_address(struct connection *connection);

struct connection *connection_new(struct event_base *base, struct upstream_shared *shared,
                                  struct tls_memory *memory, const struct connection_events *events,
                                  void *pool)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        return NULL;
    connection->answer = answer_new(shared->config->upstream.header_bytes);
    if (connection->answer == NULL) {
        free(connection);
        return NULL;
    }
    connection->base = base;
    connection->shared = shared;
    connection->memory = memory;
    connection->events = events;
    connection->pool = pool;
    connection->transport.fd = -1;
    return connection;
}

void connection_occupy(struct connection *connection)
{
    if (!connection->counted)
        connection->address->outstanding++;
    connection->counted = true;
}

void connection_rest(struct connection *connection)
{
    if (connection->counted)
        connection->address->outstanding--;
    if (connection->probe)
        address_end_probe(connection->address);
    connection->counted = connection->probe = false;
}

void connection_blame(struct connection *connection)
{
    if (connection->address != NULL)
        address_failed(connection->address, &connection->shared->ejection, clock_monotonic_us());
}

static void leave_address(struct connection *connection)
{
    if (connection->address == NULL)
        return;
    connection_rest(connection);
    address_release(connection->address);
    connection->address = NULL;
}

/* Gives the socket of an address back, with its events. */
static void drop_socket(struct connection *connection, bool politely)
{
    if (connection->transport.fd < 0)
        return;
    event_del(&connection->read_event);
    event_del(&connection->write_event);
    tunnel_end(&connection->tunnel);
    transport_close(&connection->transport, politely);
}

static void fail(struct connection *connection, enum upstream_failure failure)
{
    drop_socket(connection, false);
    leave_address(connection);
    if (failure == UPSTREAM_UNREACHABLE)
        resolver_refresh(connection->shared->resolver);
    connection->events->failed(connection, failure, connection->detail);
}

/* Notes why the address under way is of no use. */
static void note_fault(struct connection *connection, const char *fault)
{
    const char *through = connection->shared->way != NULL ? "TLS through" : "TLS with";
    const char *what = connection->stage == CONNECTION_SHAKING      ? through
                       : connection->stage == CONNECTION_TUNNELLING ? "CONNECT through"
                                                                    : "connect to";
    snprintf(connection->detail, sizeof(connection->detail), "%s %s: %s", what, connection->address->text,
             fault);
}

static void become_ready(struct connection *connection)
{
    connection->stage = CONNECTION_READY;
    addresses_release(connection->addresses);
    connection->addresses = NULL;
    connection->events->ready(connection);
}

/* The address under way failed: the next one, at once. */
static void abandon_address(struct connection *connection, const char *fault)
{
    note_fault(connection, fault);
    connection_blame(connection);
    drop_socket(connection, false);
    leave_address(connection);
    next_address(connection);
}

static void shake_hands(struct connection *connection)
{
    char fault[128];
    switch (transport_handshake(&connection->transport)) {
    case TRANSPORT_DONE:
        become_ready(connection);
        return;
    case TRANSPORT_WANTS_READ:
        return; /* the read event is there */
    case TRANSPORT_WANTS_WRITE:
        event_add(&connection->write_event, NULL);
        return;
    default:
        if (tls_untrusted(connection->shared->tls, &connection->transport, connection->detail,
                          sizeof(connection->detail))) {
            connection_blame(connection);
            fail(connection, UPSTREAM_UNTRUSTED); /* another address is no better: somebody answered, and is
                                                     not whom we seek */
            return;
        }
        transport_fault(&connection->transport, fault, sizeof(fault));
        abandon_address(connection, fault);
    }
}

static void run_out_of_memory(struct connection *connection)
{
    snprintf(connection->detail, sizeof(connection->detail), "out of memory");
    fail(connection, UPSTREAM_OVERLOADED);
}

static void begin_tls(struct connection *connection)
{
    if (!tls_attach(connection->shared->tls, connection->memory, &connection->transport)) {
        run_out_of_memory(connection);
        return;
    }
    connection->stage = CONNECTION_SHAKING;
    shake_hands(connection);
}

static void ask_proxy(struct connection *connection)
{
    char fault[128];
    connection->stage = CONNECTION_TUNNELLING;
    switch (
        tunnel_step(&connection->tunnel, &connection->transport, connection->answer, fault, sizeof(fault))) {
    case TUNNEL_OPEN:
        begin_tls(connection);
        return;
    case TUNNEL_WANTS_READ:
        return;
    case TUNNEL_WANTS_WRITE:
        event_add(&connection->write_event, NULL);
        return;
    case TUNNEL_REFUSED: /* by somebody who is there: another address of his says the same */
        note_fault(connection, fault);
        connection_blame(connection);
        fail(connection, UPSTREAM_UNREACHABLE);
        return;
    case TUNNEL_BROKEN:
        abandon_address(connection, fault);
    }
}

static bool is_far(int fd)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof(info);
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && info.tcpi_rtt >= FAR_US;
}

static void on_connected(struct connection *connection)
{
    int problem = 0;
    socklen_t length = sizeof(problem);
    if (getsockopt(connection->transport.fd, SOL_SOCKET, SO_ERROR, &problem, &length) != 0)
        problem = errno;
    char fault[64];
    if (problem != 0) {
        abandon_address(connection, strerror_r(problem, fault, sizeof(fault)));
        return;
    }
    event_add(&connection->read_event, NULL);
    connection->far = is_far(connection->transport.fd);
    if (connection->shared->tls == NULL)
        become_ready(connection);
    else if (connection->shared->way == NULL)
        begin_tls(connection);
    else if (!tunnel_begin(&connection->tunnel, connection->shared->way, connection->answer))
        run_out_of_memory(connection);
    else
        ask_proxy(connection);
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
    struct connection *connection = arg;
    (void)fd;
    (void)what;
    if (connection->stage == CONNECTION_TUNNELLING)
        ask_proxy(connection);
    else if (connection->stage == CONNECTION_SHAKING)
        shake_hands(connection);
    else if (connection->stage == CONNECTION_READY)
        connection->events->readable(connection);
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
    struct connection *connection = arg;
    (void)fd;
    (void)what;
    if (connection->stage == CONNECTION_CONNECTING)
        on_connected(connection);
    else if (connection->stage == CONNECTION_TUNNELLING)
        ask_proxy(connection);
    else if (connection->stage == CONNECTION_SHAKING)
        shake_hands(connection);
    else if (connection->stage == CONNECTION_READY)
        connection->events->writable(connection);
}

/* Begins to connect; 0 or an errno. */
static int begin_connect(struct connection *connection, const struct address *address)
{
    int fd = socket(address->socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    connection->transport.fd = fd;
    event_assign(&connection->read_event, connection->base, fd, EV_READ | EV_PERSIST, on_read, connection);
    event_assign(&connection->write_event, connection->base, fd, EV_WRITE, on_write, connection);
    if (connect(fd, (const struct sockaddr *)&address->socket, address->length) != 0 && errno != EINPROGRESS)
        return errno;
    return event_add(&connection->write_event, NULL) == 0 ? 0 : ENOMEM;
}

static bool out_of_resources(int problem)
{
    return problem == EMFILE || problem == ENFILE || problem == ENOMEM || problem == ENOBUFS;
}

/* Turns to the next address of the plan. */
static void take_next(struct connection *connection)
{
    size_t index = connection->plan.order[connection->tried];
    connection->probe = connection->plan.probe && connection->tried == 0;
    connection->tried++;
    connection->address = address_hold(connection->addresses->list[index]);
    connection_occupy(connection);
}

/* Tries the addresses that are left. Each gets its share of the time, so that one that swallows packets does
 * not use up that of the others. */
static void next_address(struct connection *connection)
{
    const struct addresses *addresses = connection->addresses;
    int64_t now = clock_monotonic_us();
    while (connection->tried < addresses->count && now < connection->due) {
        size_t left = addresses->count - connection->tried;
        take_next(connection);
        connection->stage = CONNECTION_CONNECTING;
        connection->address_due = now + (connection->due - now) / (int64_t)left;
        int problem = begin_connect(connection, connection->address);
        if (problem == 0)
            return;
        char fault[64];
        note_fault(connection, strerror_r(problem, fault, sizeof(fault)));
        if (out_of_resources(problem)) {
            fail(connection, UPSTREAM_OVERLOADED);
            return;
        }
        connection_blame(connection);
        drop_socket(connection, false);
        leave_address(connection);
    }
    fail(connection, now >= connection->due ? UPSTREAM_TIMEOUT : UPSTREAM_UNREACHABLE);
}

void connection_resolved(struct connection *connection)
{
    if (connection->stage != CONNECTION_RESOLVING)
        return;
    switch (resolver_addresses(connection->shared->resolver, &connection->addresses, connection->detail,
                               sizeof(connection->detail))) {
    case RESOLVER_READY:
        connection->plan = balance_plan(connection->addresses, connection->may_probe, connection->turn,
                                        clock_monotonic_us());
        next_address(connection);
        return;
    case RESOLVER_FAILED:
        fail(connection, UPSTREAM_UNREACHABLE);
        return;
    case RESOLVER_WAIT:
        snprintf(connection->detail, sizeof(connection->detail), "the upstream's name is not resolved yet");
    }
}

void connection_begin(struct connection *connection, bool may_probe, size_t turn, int64_t now)
{
    connection->stage = CONNECTION_RESOLVING;
    connection->may_probe = may_probe;
    connection->turn = turn;
    connection->due = now + connection->shared->config->upstream.connect_timeout_ms * INT64_C(1000);
    connection->address_due = connection->due;
    connection_resolved(connection);
}

int64_t connection_due(const struct connection *connection)
{
    if (connection->stage == CONNECTION_READY || connection->stage == CONNECTION_CLOSED)
        return INT64_MAX;
    return connection->address_due;
}

void connection_expire(struct connection *connection, int64_t now)
{
    if (now < connection_due(connection))
        return;
    if (connection->stage == CONNECTION_RESOLVING) {
        fail(connection, UPSTREAM_TIMEOUT);
        return;
    }
    char fault[80];
    snprintf(fault, sizeof(fault), "no answer in time (connect_timeout_ms is %u)",
             connection->shared->config->upstream.connect_timeout_ms);
    abandon_address(connection, fault);
}

void connection_await_writable(struct connection *connection)
{
    event_add(&connection->write_event, NULL);
}

void connection_pause(struct connection *connection)
{
    if (connection->stage != CONNECTION_READY || connection->paused)
        return;
    connection->paused = true;
    event_del(&connection->read_event);
}

void connection_resume(struct connection *connection)
{
    if (connection->stage != CONNECTION_READY || !connection->paused)
        return;
    connection->paused = false;
    event_add(&connection->read_event, NULL);
}

enum connection_silence connection_listen(struct connection *connection)
{
    char byte;
    size_t length;
    switch (transport_read(&connection->transport, &byte, 1, &length)) {
    case TRANSPORT_WANTS_READ:
        return CONNECTION_QUIET;
    case TRANSPORT_DONE:
        return CONNECTION_SPEAKS;
    default:
        return CONNECTION_GONE;
    }
}

bool connection_spoke_first(const struct connection *connection, uint64_t sent_before)
{
    const struct transport *transport = &connection->transport;
    int unacknowledged = 0;
    uint64_t since = transport->sent - sent_before;
    if (since == 0)
        return true;
    return ioctl(transport->fd, SIOCOUTQ, &unacknowledged) == 0 && (uint64_t)unacknowledged >= since;
}

void connection_close(struct connection *connection, bool politely)
{
    connection->stage = CONNECTION_CLOSED;
    drop_socket(connection, politely);
    leave_address(connection);
    addresses_release(connection->addresses);
    connection->addresses = NULL;
}

void connection_free(struct connection *connection)
{
    if (connection == NULL)
        return;
    answer_free(connection->answer);
    free(connection);
}
