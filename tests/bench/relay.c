/* relay PORT UPSTREAM [WORKERS]: the floor of the benchmark. Takes connections at 127.0.0.1:PORT, opens one
 * to 127.0.0.1:UPSTREAM for each, and moves bytes both ways. It parses nothing and decides nothing: what it
 * costs is what the kernel costs, whoever proxies. */
#include "tests/bench/net.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVENTS   256
#define PIECE    65536
#define WORKERS  64
#define READABLE ((uint32_t)(EPOLLIN | EPOLLRDHUP))

struct pair;

/* One side of a pair, with the bytes that it has not taken yet. */
struct side {
    struct pair *pair;
    struct side *other;
    int socket;
    uint32_t watched;
    char *waiting;
    size_t start, length;
    bool ended; /* sends no more */
};

struct pair {
    struct side client, upstream;
    struct pair *next_dead;
    bool dead;
};

struct relay {
    int epoll, listener, upstream_port;
    struct pair *dead; /* freed after the events at hand, which may name them */
    char piece[PIECE];
};

static void watch(struct relay *relay, struct side *side, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = side};

    if (events == side->watched)
        return;
    if (epoll_ctl(relay->epoll, EPOLL_CTL_MOD, side->socket, &event) != 0)
        net_die("epoll_ctl");
    side->watched = events;
}

static void end(struct relay *relay, struct pair *pair)
{
    if (pair->dead)
        return;
    pair->dead = true;
    close(pair->client.socket);
    close(pair->upstream.socket);
    free(pair->client.waiting);
    free(pair->upstream.waiting);
    pair->next_dead = relay->dead;
    relay->dead = pair;
}

static void sweep(struct relay *relay)
{
    while (relay->dead != NULL) {
        struct pair *pair = relay->dead;
        relay->dead = pair->next_dead;
        free(pair);
    }
}

/* Sends bytes; how many the socket took. -1 when it is broken. */
static ssize_t put(const struct side *side, const char *bytes, size_t length)
{
    ssize_t sent = send(side->socket, bytes, length, MSG_NOSIGNAL);

    return sent < 0 && net_later() ? 0 : sent;
}

/* Keeps what `to` did not take, and reads no more for it until it has. */
static void hold(struct relay *relay, struct side *to, const char *bytes, size_t length)
{
    to->waiting = net_take(length);
    memcpy(to->waiting, bytes, length);
    to->start = 0;
    to->length = length;
    watch(relay, to, (to->watched & READABLE) | EPOLLOUT);
    watch(relay, to->other, to->other->watched & EPOLLOUT);
}

static void on_end(struct relay *relay, struct side *from)
{
    from->ended = true;
    if (from->other->ended)
        end(relay, from->pair);
    else {
        (void)shutdown(from->other->socket, SHUT_WR);
        watch(relay, from, from->watched & EPOLLOUT);
    }
}

static void on_readable(struct relay *relay, struct side *from)
{
    ssize_t got = recv(from->socket, relay->piece, sizeof relay->piece, 0);

    if (got < 0 && net_later())
        return;
    if (got == 0) {
        on_end(relay, from);
        return;
    }
    ssize_t sent = got < 0 ? -1 : put(from->other, relay->piece, (size_t)got);
    if (sent < 0)
        end(relay, from->pair);
    else if (sent < got)
        hold(relay, from->other, relay->piece + sent, (size_t)got - (size_t)sent);
}

static void on_writable(struct relay *relay, struct side *to)
{
    ssize_t sent = put(to, to->waiting + to->start, to->length - to->start);

    if (sent < 0) {
        end(relay, to->pair);
        return;
    }
    to->start += (size_t)sent;
    if (to->start < to->length)
        return;
    free(to->waiting);
    to->waiting = NULL;
    watch(relay, to, to->watched & READABLE);
    if (!to->other->ended)
        watch(relay, to->other, to->other->watched | READABLE);
}

static void on_event(struct relay *relay, const struct epoll_event *event)
{
    struct side *side = event->data.ptr;

    if (side->pair->dead)
        return;
    if ((event->events & EPOLLOUT) && side->waiting != NULL)
        on_writable(relay, side);
    if (side->pair->dead)
        return;
    if ((event->events & READABLE) && (side->watched & READABLE))
        on_readable(relay, side);
    else if (event->events & (EPOLLERR | EPOLLHUP))
        end(relay, side->pair);
}

static void set_up(struct relay *relay, struct pair *pair, struct side *side, struct side *other, int socket)
{
    struct epoll_event event = {.events = READABLE, .data.ptr = side};

    *side = (struct side){.pair = pair, .other = other, .socket = socket, .watched = READABLE};
    if (epoll_ctl(relay->epoll, EPOLL_CTL_ADD, socket, &event) != 0)
        net_die("epoll_ctl");
}

static void on_connection(struct relay *relay)
{
    int client = net_accept(relay->listener);

    if (client < 0)
        return;
    int upstream = net_connect(relay->upstream_port);
    struct pair *pair = net_take(sizeof *pair);
    if (upstream < 0)
        net_die("a connection to the upstream");
    set_up(relay, pair, &pair->client, &pair->upstream, client);
    set_up(relay, pair, &pair->upstream, &pair->client, upstream);
}

static _Noreturn void run(int port, int upstream_port)
{
    static struct relay relay;
    struct epoll_event event = {.events = EPOLLIN}, events[EVENTS];

    relay.upstream_port = upstream_port;
    relay.listener = net_listen(port);
    relay.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (relay.epoll < 0 || epoll_ctl(relay.epoll, EPOLL_CTL_ADD, relay.listener, &event) != 0)
        net_die("epoll");
    for (;;) {
        int count = epoll_wait(relay.epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                on_connection(&relay);
            else
                on_event(&relay, &events[i]);
        }
        sweep(&relay);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 4)
        return 2;
    int port = net_port(argv[1]), upstream = net_port(argv[2]);
    int workers = argc > 3 ? atoi(argv[3]) : 1;
    net_raise_limits();
    for (int i = 1; i < workers && i < WORKERS; i++)
        if (fork() == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
            run(port, upstream);
        }
    run(port, upstream);
}
