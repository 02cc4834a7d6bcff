#include "proxy/net/transport.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define JOINED 4096
#define TURNS  16 /* a record takes two, one for its header and one for the rest */

static enum transport_result broken(struct transport *transport, int error)
{
    transport->error = error;
    return TRANSPORT_BROKEN;
}

enum transport_result transport_receive(struct transport *transport, char *bytes, size_t room, size_t *length)
{
    ssize_t got;
    do {
        got = recv(transport->fd, bytes, room, 0);
    } while (got < 0 && errno == EINTR);

    *length = got > 0 ? (size_t)got : 0;
    if (got > 0)
        return TRANSPORT_DONE;
    if (got == 0)
        return TRANSPORT_ENDED;
    return errno == EAGAIN || errno == EWOULDBLOCK ? TRANSPORT_WANTS_READ : broken(transport, errno);
}

enum transport_result transport_send(struct transport *transport, const char *bytes, size_t length,
                                     size_t *taken)
{
    ssize_t put;
    do {
        put = send(transport->fd, bytes, length, MSG_NOSIGNAL);
    } while (put < 0 && errno == EINTR);

    *taken = put > 0 ? (size_t)put : 0;
    transport->sent += *taken;
    if (put >= 0)
        return TRANSPORT_DONE;
    return errno == EAGAIN || errno == EWOULDBLOCK ? TRANSPORT_WANTS_WRITE : broken(transport, errno);
}

/* What an SSL call that did not succeed means. */
static enum transport_result tls_result(struct transport *transport, int result)
{
    switch (SSL_get_error(transport->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return TRANSPORT_WANTS_READ;
    case SSL_ERROR_WANT_WRITE:
        return TRANSPORT_WANTS_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return TRANSPORT_ENDED;
    case SSL_ERROR_SYSCALL:
        return TRANSPORT_BROKEN; /* the socket left its errno in `error` */
    default:
        transport->tls_error = ERR_peek_error();
        if (ERR_GET_REASON(transport->tls_error) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
            transport->tls_error = 0;
        ERR_clear_error();
        return TRANSPORT_BROKEN;
    }
}

enum transport_result transport_read(struct transport *transport, char *bytes, size_t room, size_t *length)
{
    if (transport->ssl == NULL)
        return transport_receive(transport, bytes, room, length);
    ERR_clear_error();
    transport->turns = TURNS;
    int result = SSL_read_ex(transport->ssl, bytes, room, length);
    return result == 1 ? TRANSPORT_DONE : tls_result(transport, result);
}

enum transport_result transport_write(struct transport *transport, const char *bytes, size_t length,
                                      size_t *taken)
{
    if (transport->ssl == NULL)
        return transport_send(transport, bytes, length, taken);
    ERR_clear_error();
    int result = SSL_write_ex(transport->ssl, bytes, length, taken);
    return result == 1 ? TRANSPORT_DONE : tls_result(transport, result);
}

static enum transport_result send_both(struct transport *transport, struct span first, struct span second,
                                       size_t *taken)
{
    struct iovec parts[2] = {{(void *)(uintptr_t)first.data, first.length},
                             {(void *)(uintptr_t)second.data, second.length}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = second.length > 0 ? 2 : 1};
    ssize_t put;
    do {
        put = sendmsg(transport->fd, &message, MSG_NOSIGNAL);
    } while (put < 0 && errno == EINTR);

    *taken = put > 0 ? (size_t)put : 0;
    transport->sent += *taken;
    if (put >= 0)
        return *taken < first.length + second.length ? TRANSPORT_WANTS_WRITE : TRANSPORT_DONE;
    return errno == EAGAIN || errno == EWOULDBLOCK ? TRANSPORT_WANTS_WRITE : broken(transport, errno);
}

static enum transport_result write_all(struct transport *transport, struct span bytes, size_t *taken)
{
    enum transport_result result = TRANSPORT_DONE;
    size_t written;

    for (*taken = 0; *taken < bytes.length && result == TRANSPORT_DONE; *taken += written) {
        written = 0;
        result = transport_write(transport, bytes.data + *taken, bytes.length - *taken, &written);
    }
    return result;
}

/* A header and the beginning of a body as one record, so that they go out as one packet. */
static enum transport_result write_joined(struct transport *transport, struct span first, struct span second,
                                          size_t *taken)
{
    char joined[JOINED];
    size_t more = sizeof joined - first.length;

    if (more > second.length)
        more = second.length;
    memcpy(joined, first.data, first.length);
    memcpy(joined + first.length, second.data, more);
    return write_all(transport, (struct span){joined, first.length + more}, taken);
}

enum transport_result transport_write_both(struct transport *transport, struct span first, struct span second,
                                           size_t *taken)
{
    enum transport_result result;
    size_t begun = 0;

    if (transport->ssl == NULL)
        return send_both(transport, first, second, taken);
    if (second.length > 0 && first.length < JOINED)
        result = write_joined(transport, first, second, &begun);
    else
        result = write_all(transport, first, &begun);
    *taken = begun;
    if (result != TRANSPORT_DONE || begun < first.length)
        return result;

    size_t of_second = begun - first.length;
    result = write_all(transport, (struct span){second.data + of_second, second.length - of_second}, taken);
    *taken += begun;
    return result;
}

enum transport_result transport_handshake(struct transport *transport)
{
    ERR_clear_error();
    transport->turns = TURNS;
    int result = SSL_do_handshake(transport->ssl);
    return result == 1 ? TRANSPORT_DONE : tls_result(transport, result);
}

void transport_fault(const struct transport *transport, char *text, size_t size)
{
    const char *reason = transport->tls_error ? ERR_reason_error_string(transport->tls_error) : NULL;
    char unknown[64];
    if (reason != NULL)
        snprintf(text, size, "TLS: %s", reason);
    else if (transport->tls_error != 0)
        snprintf(text, size, "TLS: error %lx", transport->tls_error);
    else if (transport->error != 0)
        snprintf(text, size, "%s", strerror_r(transport->error, unknown, sizeof(unknown)));
    else
        snprintf(text, size, "cut off by the peer");
}

enum transport_result transport_finish(struct transport *transport)
{
    enum transport_result result = TRANSPORT_DONE;

    if (transport->ssl != NULL && (SSL_get_shutdown(transport->ssl) & SSL_SENT_SHUTDOWN) == 0) {
        ERR_clear_error();
        int said = SSL_shutdown(transport->ssl);
        result = said < 0 ? tls_result(transport, said) : TRANSPORT_DONE;
    }
    if (result == TRANSPORT_WANTS_WRITE)
        return result;
    (void)shutdown(transport->fd, SHUT_WR);
    return TRANSPORT_DONE;
}

bool transport_holds(const struct transport *transport)
{
    return transport->ssl != NULL && SSL_has_pending(transport->ssl) == 1;
}

void transport_end_tls(struct transport *transport, bool politely)
{
    if (transport->ssl == NULL)
        return;
    /* OpenSSL forgets the session of a connection that ended without close_notify; ours stays good. */
    bool said = (SSL_get_shutdown(transport->ssl) & SSL_SENT_SHUTDOWN) != 0;
    if (!politely || said || SSL_shutdown(transport->ssl) < 0)
        SSL_set_shutdown(transport->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    ERR_clear_error();
    SSL_free(transport->ssl);
    transport->ssl = NULL;
}

void transport_close(struct transport *transport, bool politely)
{
    transport_end_tls(transport, politely);
    if (transport->fd >= 0)
        close(transport->fd);
    *transport = (struct transport){.fd = -1};
}
