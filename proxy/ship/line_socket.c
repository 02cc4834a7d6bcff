#include "proxy/ship/line_socket.h"

#include "proxy/base/clock.h"
#include "proxy/config/place.h"
#include "proxy/ship/destination.h"
#include "proxy/upstream/resolver.h"
#include "proxy/upstream/tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECT_US (5 * INT64_C(1000000))  /* to resolve, connect and shake hands */
#define WRITE_US   (10 * INT64_C(1000000)) /* that the peer may take nothing */
#define RESOLVE_S  60

struct line_socket {
    const struct stopping *stopping;
    struct place_syslog place;
    bool datagram;
    struct transport transport; /* fd -1: not connected */

    /* TLS: */
    struct config config; /* what resolver and TLS read: upstream.host, .port, .ca_file */
    struct resolver *resolver;
    struct resolver_watch watch;
    struct tls *tls;
    struct tls_memory memory;
};

static bool fail(char *why, const char *what, const char *reason)
{
    (void)snprintf(why, DESTINATION_WHY, "%s: %s", what, reason);
    return false;
}

static void disconnect(struct line_socket *socket, bool politely)
{
    transport_close(&socket->transport, politely);
}

/* The peer never says anything but that it goes; TLS has its own business to read. */
static bool peer_is_there(struct line_socket *socket)
{
    char bytes[256];
    size_t length;
    enum transport_result result;

    if (socket->datagram)
        return true;
    do {
        result = transport_read(&socket->transport, bytes, sizeof bytes, &length);
    } while (result == TRANSPORT_DONE);
    return result == TRANSPORT_WANTS_READ || result == TRANSPORT_WANTS_WRITE;
}

static bool connect_unix(struct line_socket *line, char *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    static const int types[] = {SOCK_DGRAM, SOCK_STREAM};

    memcpy(address.sun_path, line->place.path, strlen(line->place.path) + 1);
    for (size_t i = 0; i < 2; i++) {
        int fd = socket(AF_UNIX, types[i] | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
            line->transport = (struct transport){.fd = fd};
            line->datagram = types[i] == SOCK_DGRAM;
            return true;
        }
        int fault = errno;
        if (fd >= 0)
            close(fd);
        errno = fault;
        if (fault != EPROTOTYPE) /* another type of socket listens there */
            break;
    }
    return fail(why, line->place.path, strerrordesc_np(errno));
}

/* The peer's addresses, once they are known. NULL with the reason. */
static struct addresses *resolve(struct line_socket *line, int64_t until, char *why)
{
    struct addresses *addresses = NULL;
    char fault[256] = "";

    for (;;) {
        switch (resolver_addresses(line->resolver, &addresses, fault, sizeof fault)) {
        case RESOLVER_READY:
            return addresses;
        case RESOLVER_FAILED:
            (void)fail(why, line->config.upstream.host, fault);
            return NULL;
        case RESOLVER_WAIT:
            break;
        }
        if (!stopping_wait(line->stopping, line->watch.fd, POLLIN, until)) {
            (void)fail(why, line->config.upstream.host, "its address was not found in time");
            return NULL;
        }
        eventfd_t ignored;
        (void)eventfd_read(line->watch.fd, &ignored);
    }
}

/* Connects; 0, or why not (errno). */
static int connect_fault(const struct line_socket *line, int fd, const struct address *address, int64_t until)
{
    int fault = 0;
    socklen_t size = sizeof fault;

    if (connect(fd, (const struct sockaddr *)&address->socket, address->length) != 0 && errno != EINPROGRESS)
        return errno;
    if (!stopping_wait(line->stopping, fd, POLLOUT, until))
        return ETIMEDOUT;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &size) == 0 ? fault : errno;
}

/* A connected socket, or -1 (errno). */
static int connect_address(const struct line_socket *line, const struct address *address, int64_t until)
{
    int fd = socket(address->socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;

    if (fd < 0)
        return -1;
    int fault = connect_fault(line, fd, address, until);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (fault == 0)
        return fd;
    close(fd);
    errno = fault;
    return -1;
}

/* Waits for what the transport wants. */
static bool wait_for(const struct line_socket *line, enum transport_result wanted, int64_t until)
{
    return stopping_wait(line->stopping, line->transport.fd,
                         wanted == TRANSPORT_WANTS_READ ? POLLIN : POLLOUT, until);
}

static bool shake_hands(struct line_socket *line, int64_t until, char *why)
{
    enum transport_result result;
    char fault[DESTINATION_WHY / 2] = "took too long";

    if (!tls_attach(line->tls, &line->memory, &line->transport) ||
        SSL_set_alpn_protos(line->transport.ssl, NULL, 0) != 0) /* it is not HTTP */
        return fail(why, "TLS", "memory is out");
    do {
        result = transport_handshake(&line->transport);
    } while ((result == TRANSPORT_WANTS_READ || result == TRANSPORT_WANTS_WRITE) &&
             wait_for(line, result, until));
    if (result == TRANSPORT_DONE)
        return true;
    if ((result == TRANSPORT_BROKEN || result == TRANSPORT_ENDED) &&
        !tls_untrusted(line->tls, &line->transport, fault, sizeof fault))
        transport_fault(&line->transport, fault, sizeof fault);
    return fail(why, "TLS handshake", fault);
}

static bool connect_tls(struct line_socket *line, char *why)
{
    int64_t until = clock_monotonic_us() + CONNECT_US;
    struct addresses *addresses = resolve(line, until, why);
    int fd = -1;

    if (addresses == NULL)
        return false;
    for (size_t i = 0; i < addresses->count && fd < 0; i++)
        fd = connect_address(line, addresses->list[i], until);
    int fault = errno;
    addresses_release(addresses);
    if (fd < 0) {
        resolver_refresh(line->resolver);
        return fail(why, line->config.upstream.authority, strerrordesc_np(fault));
    }
    line->transport = (struct transport){.fd = fd};
    if (shake_hands(line, until, why))
        return true;
    disconnect(line, false);
    return false;
}

bool line_socket_connect(struct line_socket *socket, char *why)
{
    if (socket->transport.fd >= 0 && peer_is_there(socket))
        return true;
    disconnect(socket, false);
    return socket->place.path != NULL ? connect_unix(socket, why) : connect_tls(socket, why);
}

enum line_framing line_socket_framing(const struct line_socket *socket)
{
    if (socket->transport.ssl != NULL)
        return LINE_FRAMED_COUNT;
    return socket->datagram ? LINE_FRAMED_DATAGRAM : LINE_FRAMED_NEWLINE;
}

static enum line_sent give_up(struct line_socket *socket, const char *reason, char *why)
{
    (void)fail(why, "write", reason);
    disconnect(socket, false);
    return LINE_NOT_SENT;
}

enum line_sent line_socket_send(struct line_socket *socket, const char *bytes, size_t length, char *why)
{
    int64_t until = clock_monotonic_us() + WRITE_US;
    char fault[DESTINATION_WHY / 2];

    for (size_t done = 0; done < length;) {
        size_t taken = 0;
        enum transport_result result =
            transport_write(&socket->transport, bytes + done, length - done, &taken);

        if (result == TRANSPORT_DONE) {
            done += taken;
            until = clock_monotonic_us() + WRITE_US;
            continue;
        }
        if (result == TRANSPORT_BROKEN && socket->datagram && socket->transport.error == EMSGSIZE) {
            (void)fail(why, "write", strerrordesc_np(EMSGSIZE));
            return LINE_TOO_LARGE;
        }
        if (result == TRANSPORT_BROKEN || result == TRANSPORT_ENDED) {
            transport_fault(&socket->transport, fault, sizeof fault);
            return give_up(socket, fault, why);
        }
        if (!wait_for(socket, result, until))
            return give_up(socket, "nothing was taken in time", why);
    }
    return LINE_SENT;
}

static bool prepare_tls(struct line_socket *line, char *error, size_t error_size)
{
    struct config *config = &line->config;

    config->upstream.host = line->place.origin.host;
    config->upstream.port = line->place.origin.port;
    config->upstream.authority = line->place.origin.authority;
    config->upstream.tls = true;
    line->tls = tls_new(config, error, error_size);
    if (line->tls == NULL)
        return false;
    line->watch.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (line->watch.fd < 0) {
        (void)snprintf(error, error_size, "%s", strerrordesc_np(errno));
        return false;
    }
    line->resolver =
        resolver_new(config->upstream.host, config->upstream.port, NULL, RESOLVE_S, error, error_size);
    if (line->resolver == NULL)
        return false;
    resolver_watch(line->resolver, &line->watch);
    return true;
}

struct line_socket *line_socket_new(const struct config *config, const struct stopping *stopping, char *error,
                                    size_t error_size)
{
    struct line_socket *line = calloc(1, sizeof *line);

    if (line == NULL) {
        (void)snprintf(error, error_size, "memory is out");
        return NULL;
    }
    line->stopping = stopping;
    line->transport.fd = line->watch.fd = -1;
    line->config.upstream.ca_file = config->ship.ca_file;
    const char *wrong = place_syslog_parse(config->ship.syslog, &line->place);
    if (wrong != NULL)
        (void)snprintf(error, error_size, "ship.syslog %s", wrong);
    else if (line->place.path != NULL || prepare_tls(line, error, error_size))
        return line;
    line_socket_free(line);
    return NULL;
}

bool line_socket_reload(struct line_socket *socket, char *error, size_t error_size)
{
    return socket->tls == NULL || tls_reload(socket->tls, error, error_size);
}

void line_socket_free(struct line_socket *socket)
{
    if (socket == NULL)
        return;
    disconnect(socket, true);
    if (socket->resolver != NULL)
        resolver_unwatch(socket->resolver, &socket->watch);
    resolver_free(socket->resolver);
    if (socket->watch.fd >= 0)
        close(socket->watch.fd);
    tls_forget(&socket->memory);
    tls_free(socket->tls);
    place_syslog_free(&socket->place);
    free(socket);
}
