#include "proxy/listen/tcp_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union address {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
};

static socklen_t fill_address(union address *out, const char *host, uint16_t port)
{
    *out = (union address){.any = {0}};
    if (inet_pton(AF_INET, host, &out->four.sin_addr) == 1) {
        out->four.sin_family = AF_INET;
        out->four.sin_port = htons(port);
        return sizeof out->four;
    }
    if (inet_pton(AF_INET6, host, &out->six.sin6_addr) == 1) {
        out->six.sin6_family = AF_INET6;
        out->six.sin6_port = htons(port);
        return sizeof out->six;
    }
    return 0;
}

static bool set_on(int socket, int level, int option)
{
    const int on = 1;

    return setsockopt(socket, level, option, &on, sizeof on) == 0;
}

/* A socket bound to the address; -1 with errno. `shared`: others of this user may bind it too. */
static int bound_socket(const struct config_address *address, uint16_t port, bool shared)
{
    union address to;
    socklen_t size = address->kind == ADDRESS_TCP ? fill_address(&to, address->host, port) : 0;
    int fd = size == 0 ? -1 : socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (size == 0)
        errno = EAFNOSUPPORT;
    if (fd < 0 || !set_on(fd, SOL_SOCKET, SO_REUSEADDR) ||
        (shared && !set_on(fd, SOL_SOCKET, SO_REUSEPORT)) ||
        (to.any.sa_family == AF_INET6 && !set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY)) ||
        bind(fd, &to.any, size) != 0) {
        int reason = errno;
        if (fd >= 0)
            (void)close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

static void describe(const struct config_address *address, char *error, size_t error_size)
{
    (void)snprintf(error, error_size, "cannot listen on %s: %s", address->text, strerror(errno));
}

bool tcp_socket_is_free(const struct config_address *address, char *error, size_t error_size)
{
    int fd = bound_socket(address, address->port, false);

    if (fd < 0) {
        describe(address, error, error_size);
        return false;
    }
    (void)close(fd);
    return true;
}

int tcp_socket_listen(const struct config_address *address, uint16_t port, unsigned backlog, char *error,
                      size_t error_size)
{
    int fd = bound_socket(address, port, true);

    if (fd >= 0 && listen(fd, (int)backlog) == 0)
        return fd;
    describe(address, error, error_size);
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

uint16_t tcp_socket_port(int socket)
{
    union address bound = {.any = {0}};
    socklen_t size = sizeof bound;

    if (getsockname(socket, &bound.any, &size) != 0)
        return 0;
    return ntohs(bound.any.sa_family == AF_INET6 ? bound.six.sin6_port : bound.four.sin_port);
}
