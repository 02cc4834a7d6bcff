#include "tests/bench/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096

void net_die(const char *what)
{
    perror(what);
    exit(1);
}

void *net_take(size_t size)
{
    void *memory = calloc(1, size);

    if (memory == NULL)
        net_die("memory");
    return memory;
}

int net_port(const char *text)
{
    char *end;
    long port = strtol(text, &end, 10);

    if (*text == '\0' || *end != '\0' || port < 1 || port > 65535) {
        fprintf(stderr, "%s is no port\n", text);
        exit(2);
    }
    return (int)port;
}

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr = {htonl(INADDR_LOOPBACK)},
    };
}

int net_listen(int port)
{
    const int on = 1;
    struct sockaddr_in address = loopback(port);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (listener < 0)
        net_die("socket");
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0)
        net_die("bind");
    if (listen(listener, BACKLOG) != 0)
        net_die("listen");
    return listener;
}

static void send_at_once(int socket)
{
    const int on = 1;

    (void)setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int net_accept(int listener)
{
    int socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (socket >= 0)
        send_at_once(socket);
    return socket;
}

int net_connect(int port)
{
    struct sockaddr_in address = loopback(port);
    int peer = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (peer < 0)
        return -1;
    send_at_once(peer);
    if (connect(peer, (struct sockaddr *)&address, sizeof address) == 0 || errno == EINPROGRESS)
        return peer;
    close(peer);
    return -1;
}

void net_raise_limits(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

bool net_later(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}
