#include "tests/sandbox/server.h"

#include "tests/sandbox/connection.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG  1024
#define PAUSE_MS 50 /* after accept failed: descriptors are out, and trying at once would spin */

struct server {
    const struct server_options *options;
    struct service service;
    struct evconnlistener *listener;
    struct event *on_term, *on_int, *pause;
    char address[64];
};

static bool say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says it on stderr; false, for the caller to return where something is wrong. */
static bool say(const char *format, ...)
{
    va_list arguments;

    (void)fputs("portcullis-sandbox: ", stderr);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    return false;
}

/* Reads a whole file; false with errno set. */
static bool read_file(const char *path, struct text *text)
{
    FILE *file = fopen(path, "re");
    char block[16384];
    size_t length;

    if (file == NULL)
        return false;
    while ((length = fread(block, 1, sizeof block, file)) > 0)
        text_add(text, block, length);
    bool good = !ferror(file) && !text->failed;
    (void)fclose(file);
    return good;
}

static bool open_api(struct server *server)
{
    const char *path = server->options->fixtures;
    struct fixtures_fault fault = {{0}};
    struct text text = {0};
    bool good;

    if (path != NULL && !read_file(path, &text)) {
        good = say("%s: %s", path, strerror(errno));
    } else {
        good = api_open(&server->service.api, path ? &text : NULL, &fault);
        if (!good)
            say("%s: %s", path ? path : "built-in fixtures", fault.message);
    }
    text_free(&text);
    return good;
}

static bool open_tls(struct server *server)
{
    const struct server_options *options = server->options;

    if (options->tls_cert == NULL)
        return true;
    SSL_CTX *tls = server->service.tls = SSL_CTX_new(TLS_server_method());
    if (tls == NULL)
        return say("TLS cannot be set up");
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
    if (SSL_CTX_use_certificate_chain_file(tls, options->tls_cert) != 1)
        return say("%s: %s", options->tls_cert, ERR_reason_error_string(ERR_get_error()));
    if (SSL_CTX_use_PrivateKey_file(tls, options->tls_key, SSL_FILETYPE_PEM) != 1)
        return say("%s: %s", options->tls_key, ERR_reason_error_string(ERR_get_error()));
    return true;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t socket, struct sockaddr *address,
                      int length, void *context)
{
    struct server *server = context;

    (void)listener;
    (void)address;
    (void)length;
    connection_open(&server->service, socket);
}

static void on_accept_error(struct evconnlistener *listener, void *context)
{
    struct server *server = context;
    const struct timeval pause = {0, PAUSE_MS * 1000};

    evconnlistener_disable(listener);
    event_add(server->pause, &pause);
}

static void on_pause_over(evutil_socket_t socket, short events, void *context)
{
    struct server *server = context;

    (void)socket;
    (void)events;
    evconnlistener_enable(server->listener);
}

static void on_stop(evutil_socket_t signal, short events, void *context)
{
    struct server *server = context;

    (void)signal;
    (void)events;
    event_base_loopbreak(server->service.base);
}

static bool open_loop(struct server *server)
{
    struct event_config *config = event_config_new();

    if (config != NULL) {
        event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST | EVENT_BASE_FLAG_NOLOCK);
        server->service.base = event_base_new_with_config(config);
        event_config_free(config);
    }
    struct event_base *base = server->service.base;
    if (base == NULL)
        return say("the event loop cannot be made");
    server->on_term = evsignal_new(base, SIGTERM, on_stop, server);
    server->on_int = evsignal_new(base, SIGINT, on_stop, server);
    server->pause = evtimer_new(base, on_pause_over, server);
    if (server->on_term == NULL || server->on_int == NULL || server->pause == NULL ||
        event_add(server->on_term, NULL) != 0 || event_add(server->on_int, NULL) != 0)
        return say("the events cannot be made");
    return true;
}

/* Writes the address really bound. */
static bool find_address(struct server *server)
{
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    char host[INET6_ADDRSTRLEN];
    const struct sockaddr_in *four = (const void *)&bound;
    const struct sockaddr_in6 *six = (const void *)&bound;

    if (getsockname(evconnlistener_get_fd(server->listener), (void *)&bound, &length) != 0)
        return say("getsockname: %s", strerror(errno));
    bool is_six = bound.ss_family == AF_INET6;
    const void *number = is_six ? (const void *)&six->sin6_addr : (const void *)&four->sin_addr;
    if (evutil_inet_ntop(bound.ss_family, number, host, sizeof host) == NULL)
        return say("the address bound cannot be written");
    (void)snprintf(server->address, sizeof server->address, is_six ? "[%s]:%u" : "%s:%u", host,
                   (unsigned)ntohs(is_six ? six->sin6_port : four->sin_port));
    return true;
}

/* Reads "127.0.0.1:8080" or "[::1]:8080"; port 0 is fine, which libevent's own reader refuses. */
static bool read_address(const char *text, struct sockaddr_storage *address, socklen_t *length)
{
    struct sockaddr_in *four = (void *)address;
    struct sockaddr_in6 *six = (void *)address;
    const char *colon = strrchr(text, ':');
    size_t host_length = colon ? (size_t)(colon - text) : 0;
    bool is_six = text[0] == '[' && host_length > 2 && text[host_length - 1] == ']';
    char host[INET6_ADDRSTRLEN] = {0}, *end = NULL;
    unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;

    host_length -= is_six ? 2 : 0;
    if (colon == NULL || colon[1] < '0' || colon[1] > '9' || *end != '\0' || port > 65535 ||
        host_length >= sizeof host)
        return false;
    memcpy(host, text + is_six, host_length);
    memset(address, 0, sizeof *address);
    *length = is_six ? sizeof *six : sizeof *four;
    address->ss_family = is_six ? AF_INET6 : AF_INET;
    *(is_six ? &six->sin6_port : &four->sin_port) = htons((uint16_t)port);
    return evutil_inet_pton(address->ss_family, host,
                            is_six ? (void *)&six->sin6_addr : (void *)&four->sin_addr) == 1;
}

static bool open_listener(struct server *server)
{
    struct sockaddr_storage wanted;
    socklen_t length;

    if (!read_address(server->options->listen, &wanted, &length))
        return say("--listen %s: not an address and a port", server->options->listen);
    server->listener =
        evconnlistener_new_bind(server->service.base, on_accept, server,
                                LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, BACKLOG,
                                (void *)&wanted, (int)length);
    if (server->listener == NULL)
        return say("%s: %s", server->options->listen, strerror(errno));
    evconnlistener_set_error_cb(server->listener, on_accept_error);
    return find_address(server);
}

/* Whoever waits for the file must never see half of it: it is written beside and renamed. */
static bool write_port_file(const struct server *server)
{
    const char *path = server->options->port_file;
    struct text beside = {0};

    if (path == NULL)
        return true;
    text_add_format(&beside, "%s.%ld", path, (long)getpid());
    FILE *file = beside.failed ? NULL : fopen(beside.data, "we");
    bool good = file != NULL && fprintf(file, "{\"listen\":[\"%s\"]}\n", server->address) > 0;
    if (file != NULL && fclose(file) != 0)
        good = false;
    if (good)
        good = rename(beside.data, path) == 0;
    if (!good)
        say("%s: %s", path, strerror(errno));
    text_free(&beside);
    return good;
}

static void announce(const struct server *server)
{
    const char *scheme = server->service.tls ? "https" : "http";

    say("a stand-in for trying out and testing, not the real API; it listens on %s://%s", scheme,
        server->address);
}

static bool open_server(struct server *server)
{
    if (!ledger_open(&server->service.ledger, server->options->ledger))
        return say("%s: %s", server->options->ledger, strerror(errno));
    if (!open_api(server) || !open_tls(server) || !open_loop(server) || !open_listener(server))
        return false;
    announce(server);
    return write_port_file(server);
}

static void free_event(struct event *event)
{
    if (event != NULL)
        event_free(event);
}

static void close_server(struct server *server)
{
    connection_close_all(&server->service);
    if (server->listener != NULL)
        evconnlistener_free(server->listener);
    free_event(server->on_term);
    free_event(server->on_int);
    free_event(server->pause);
    if (server->service.base != NULL)
        event_base_free(server->service.base);
    SSL_CTX_free(server->service.tls);
    api_close(&server->service.api);
    answer_free(&server->service.answer);
    ledger_close(&server->service.ledger);
}

int server_run(const struct server_options *options)
{
    struct server *server = calloc(1, sizeof *server);
    int status = 1;

    if (server == NULL) {
        say("memory is out");
        return 1;
    }
    server->options = options;
    (void)signal(SIGPIPE, SIG_IGN);
    if (open_server(server)) {
        status = event_base_dispatch(server->service.base) < 0;
    }
    close_server(server);
    free(server);
    return status;
}
