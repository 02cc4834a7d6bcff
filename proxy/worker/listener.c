#include "proxy/worker/listener.h"

#include "proxy/worker/client.h"
#include "proxy/worker/worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVHTTP_SLACK 65536

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

bool listener_is_free(const struct config_address *address, char *error, size_t error_size)
{
    int fd = bound_socket(address, address->port, false);

    if (fd < 0) {
        describe(address, error, error_size);
        return false;
    }
    (void)close(fd);
    return true;
}

int listener_socket(const struct config_address *address, uint16_t port, unsigned backlog, char *error,
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

uint16_t listener_port(int socket)
{
    union address bound = {.any = {0}};
    socklen_t size = sizeof bound;

    if (getsockname(socket, &bound.any, &size) != 0)
        return 0;
    return ntohs(bound.any.sa_family == AF_INET6 ? bound.six.sin6_port : bound.four.sin_port);
}

/* Descriptors or memory are out. The argument is evhttp's, not ours. */
static void on_accept_error(struct evconnlistener *handle, void *arg)
{
    (void)arg;

    worker_starve(evconnlistener_get_base(handle));
}

/* evhttp is given only what the wire guard let through, under the configured bounds. Its own are a second
 * fence, with room for chunk framing. */
static struct evhttp *make_http(struct listener *listener)
{
    const struct worker *worker = listener->worker;
    const struct config *config = worker->service->config;
    struct evhttp *http = evhttp_new(worker->base);

    if (http == NULL)
        return NULL;
    evhttp_set_bevcb(http, client_bufferevent, listener);
    evhttp_set_gencb(http, client_on_request, listener->worker);
    evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT |
                                         EVHTTP_REQ_PATCH | EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS |
                                         EVHTTP_REQ_TRACE);
    evhttp_set_max_headers_size(
        http, (ev_ssize_t)(config->limits.header_bytes + config->limits.target_bytes + EVHTTP_SLACK));
    evhttp_set_max_body_size(http, (ev_ssize_t)(config->limits.body_bytes + EVHTTP_SLACK));
    return http;
}

bool listener_open(struct listener *listener, struct worker *worker, const struct config_listener *config,
                   int socket)
{
    const unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_DISABLED;

    listener->worker = worker;
    listener->config = config;
    listener->http = make_http(listener);
    if (listener->http != NULL)
        listener->handle = evconnlistener_new(worker->base, NULL, NULL, flags, 0, socket);
    if (listener->handle == NULL) {
        (void)close(socket);
        return false;
    }
    listener->bound = evhttp_bind_listener(listener->http, listener->handle);
    if (listener->bound == NULL) {
        evconnlistener_free(listener->handle); /* closes the socket */
        listener->handle = NULL;
        return false;
    }
    evconnlistener_set_error_cb(listener->handle, on_accept_error);
    return true;
}

void listener_pause(struct listener *listener, bool pause)
{
    if (listener->handle == NULL)
        return;
    if (pause)
        (void)evconnlistener_disable(listener->handle);
    else
        (void)evconnlistener_enable(listener->handle);
}

void listener_close(struct listener *listener)
{
    if (listener->bound != NULL)
        evhttp_del_accept_socket(listener->http, listener->bound);
    listener->bound = NULL;
    listener->handle = NULL;
}

void listener_free(struct listener *listener)
{
    listener_close(listener);
    if (listener->http != NULL)
        evhttp_free(listener->http);
    listener->http = NULL;
}
