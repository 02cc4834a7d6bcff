#include "proxy/console/people_line.h"

#include "proxy/config/value.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_S 15 /* for each step: connecting, a write, a read */

struct line {
    int fd;
    SSL_CTX *context;
    SSL *ssl; /* NULL: plain */
    char *error;
    size_t error_size;
};

static bool fail(struct line *line, const char *what)
{
    (void)snprintf(line->error, line->error_size, "%s", what);
    return false;
}

static bool fail_errno(struct line *line)
{
    return fail(line, errno == EAGAIN || errno == EWOULDBLOCK || errno == EINPROGRESS
                          ? "no answer in time"
                          : strerrordesc_np(errno));
}

/* ---- connecting ---- */

static bool open_socket(struct line *line, int family, const struct sockaddr *address, socklen_t length)
{
    const struct timeval patience = {PATIENCE_S, 0};

    line->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (line->fd < 0)
        return fail_errno(line);
    if (setsockopt(line->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
        setsockopt(line->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
        connect(line->fd, address, length) == 0)
        return true;
    (void)fail_errno(line);
    (void)close(line->fd);
    line->fd = -1;
    return false;
}

static bool open_unix(struct line *line, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof address.sun_path)
        return fail(line, "the path is too long for a socket");
    (void)stpcpy(address.sun_path, path);
    return open_socket(line, AF_UNIX, (const struct sockaddr *)&address, sizeof address);
}

static bool open_tcp(struct line *line, const char *host, uint16_t port)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    char service[8];

    (void)snprintf(service, sizeof service, "%u", port);
    int wrong = getaddrinfo(host, service, &hints, &found);
    if (wrong != 0)
        return fail(line, gai_strerror(wrong));
    bool open = false;
    for (const struct addrinfo *one = found; one != NULL && !open; one = one->ai_next)
        open = open_socket(line, one->ai_family, one->ai_addr, one->ai_addrlen);
    freeaddrinfo(found);
    return open;
}

static bool fail_tls(struct line *line)
{
    long verified = line->ssl != NULL ? SSL_get_verify_result(line->ssl) : X509_V_OK;
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    if (verified != X509_V_OK)
        reason = X509_verify_cert_error_string(verified);
    else if (reason == NULL)
        reason = "TLS failed";
    return fail(line, reason);
}

/* Verified by name (RFC 9525), or by address where the host is one. */
static bool begin_tls(struct line *line, const char *host, const char *authorities)
{
    ERR_clear_error();
    line->context = SSL_CTX_new(TLS_client_method());
    if (line->context == NULL || !SSL_CTX_set_min_proto_version(line->context, TLS1_2_VERSION) ||
        !(authorities != NULL ? SSL_CTX_load_verify_file(line->context, authorities)
                              : SSL_CTX_set_default_verify_paths(line->context)))
        return fail_tls(line);
    SSL_CTX_set_verify(line->context, SSL_VERIFY_PEER, NULL);
    line->ssl = SSL_new(line->context);
    if (line->ssl == NULL || SSL_set_fd(line->ssl, line->fd) != 1)
        return fail_tls(line);
    if (!(host_is_literal(host)
              ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(line->ssl), host)
              : SSL_set1_host(line->ssl, host) && SSL_set_tlsext_host_name(line->ssl, host)))
        return fail_tls(line);
    return SSL_connect(line->ssl) == 1 || fail_tls(line);
}

static bool open_origin(struct line *line, const char *at, const char *authorities)
{
    struct origin origin;
    const char *fault = origin_parse(at, &origin);
    bool open = false;

    if (fault != NULL)
        (void)fail(line, fault);
    else if (!origin.tls && !host_is_loopback(origin.host))
        (void)fail(line,
                   "only https:// reaches another machine: your token would cross the network in clear");
    else
        open = open_tcp(line, origin.host, origin.port) &&
               (!origin.tls || begin_tls(line, origin.host, authorities));
    origin_free(&origin);
    return open;
}

static bool open_address(struct line *line, const char *at)
{
    struct config_address address;
    const char *fault = address_parse_any(at, &address);
    bool open = false;

    if (fault != NULL)
        (void)fail(line, fault);
    else if (address.kind == ADDRESS_UNIX)
        open = open_unix(line, address.host);
    else if (address.kind == ADDRESS_TCP && host_is_loopback(address.host))
        open = open_tcp(line, address.host, address.port);
    else
        (void)fail(line, "must be 127.0.0.1:PORT, unix:PATH or https://HOST:PORT");
    address_free(&address);
    return open;
}

static void end(struct line *line)
{
    SSL_free(line->ssl);
    SSL_CTX_free(line->context);
    if (line->fd >= 0)
        (void)close(line->fd);
}

/* ---- what crosses it ---- */

static bool send_all(struct line *line, const struct text *request)
{
    for (size_t sent = 0; sent < request->length;) {
        const char *rest = request->data + sent;
        size_t length = request->length - sent, taken = 0;
        if (line->ssl != NULL) {
            if (SSL_write_ex(line->ssl, rest, length, &taken) != 1)
                return fail_tls(line);
        } else {
            ssize_t count = send(line->fd, rest, length, MSG_NOSIGNAL);
            if (count < 0 && errno != EINTR)
                return fail_errno(line);
            taken = count > 0 ? (size_t)count : 0;
        }
        sent += taken;
    }
    return true;
}

/* One read; *length 0: the other side has closed. */
static bool receive(struct line *line, char *bytes, size_t room, size_t *length)
{
    *length = 0;
    if (line->ssl != NULL) {
        if (SSL_read_ex(line->ssl, bytes, room, length) == 1 ||
            SSL_get_error(line->ssl, 0) == SSL_ERROR_ZERO_RETURN)
            return true;
        return fail(line, "the connection was cut off");
    }
    for (;;) {
        ssize_t count = recv(line->fd, bytes, room, 0);
        if (count < 0 && errno == EINTR)
            continue;
        *length = count > 0 ? (size_t)count : 0;
        return count >= 0 || fail_errno(line);
    }
}

static bool receive_all(struct line *line, struct text *answer)
{
    char bytes[16384];
    size_t length;

    do {
        if (!receive(line, bytes, sizeof bytes, &length))
            return false;
        text_add(answer, bytes, length);
    } while (length > 0 && answer->length <= PEOPLE_ANSWER && !answer->failed);
    if (answer->failed)
        return fail(line, "memory is out");
    return answer->length <= PEOPLE_ANSWER || fail(line, "the answer is too long");
}

bool people_line(const char *at, const char *authorities, const struct text *request, struct text *answer,
                 char *error, size_t error_size)
{
    struct line line = {.fd = -1, .error = error, .error_size = error_size};
    bool is_url = strstr(at, "://") != NULL;

    bool done = (is_url ? open_origin(&line, at, authorities) : open_address(&line, at)) &&
                send_all(&line, request) && receive_all(&line, answer);
    end(&line);
    return done;
}
