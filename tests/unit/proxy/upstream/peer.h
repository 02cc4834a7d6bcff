/* A scripted upstream on loopback for the tests of this folder: it accepts, and hands each connection to a
 * function on a thread of its own. */
#ifndef TESTS_UNIT_PROXY_UPSTREAM_PEER_H
#define TESTS_UNIT_PROXY_UPSTREAM_PEER_H

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define PEER_CONNECTIONS 256
#define PEER_REQUEST     65536

struct peer;

/* One accepted connection, plain or TLS. */
struct stream {
    struct peer *peer;
    unsigned nth; /* from 0 */
    int fd;
    SSL *ssl;
    pthread_t thread;
    char request[PEER_REQUEST]; /* the last one read, NUL-terminated */
    size_t length;
};

struct peer {
    void (*serve)(struct stream *stream);
    SSL_CTX *tls; /* NULL: plain */
    void *data;   /* the test's */
    int listener;
    uint16_t port;
    pthread_t thread;
    pthread_mutex_t lock;
    struct stream *streams[PEER_CONNECTIONS];
    atomic_uint connections, requests, resumed, closed; /* closed: by the client, seen by peer_await_close */
    atomic_uint closed_politely;
    atomic_int signal; /* between script and test */
};

static inline ssize_t stream_receive(struct stream *stream, void *bytes, size_t room)
{
    return stream->ssl ? SSL_read(stream->ssl, bytes, (int)room) : recv(stream->fd, bytes, room, 0);
}

static inline bool stream_send(struct stream *stream, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length > 0) {
        ssize_t put = stream->ssl ? SSL_write(stream->ssl, at, (int)length)
                                  : send(stream->fd, at, length, MSG_NOSIGNAL);
        if (put <= 0)
            return false;
        at += put;
        length -= (size_t)put;
    }
    return true;
}

static inline bool stream_say(struct stream *stream, const char *text)
{
    return stream_send(stream, text, strlen(text));
}

/* Reads one request, its content too; false when the client is gone. What lies behind it is lost: there must
 * be nothing. */
static inline bool stream_read_request(struct stream *stream)
{
    stream->length = 0;
    for (;;) {
        stream->request[stream->length] = '\0';
        const char *end = strstr(stream->request, "\r\n\r\n");
        if (end != NULL) {
            const char *said = strcasestr(stream->request, "\r\ncontent-length:");
            size_t content = said != NULL && said < end ? strtoul(said + 17, NULL, 10) : 0;
            if (stream->length >= (size_t)(end + 4 - stream->request) + content)
                break;
        }
        if (stream->length + 1 >= sizeof(stream->request))
            return false;
        ssize_t got = stream_receive(stream, stream->request + stream->length,
                                     sizeof(stream->request) - 1 - stream->length);
        if (got <= 0)
            return false;
        stream->length += (size_t)got;
    }
    stream->peer->requests++;
    return true;
}

/* Until the client closes. */
static inline void stream_await_close(struct stream *stream)
{
    char bytes[4096];
    ssize_t got;
    while ((got = stream_receive(stream, bytes, sizeof(bytes))) > 0)
        ;
    if (stream->ssl && SSL_get_shutdown(stream->ssl) & SSL_RECEIVED_SHUTDOWN)
        stream->peer->closed_politely++;
    stream->peer->closed++;
}

/* Reset instead of a close. */
static inline void stream_reset(struct stream *stream)
{
    const struct linger hard = {1, 0};
    setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
}

static inline void *peer_serve(void *arg)
{
    struct stream *stream = arg;
    struct peer *peer = stream->peer;
    bool usable = true;
    if (peer->tls != NULL) {
        stream->ssl = SSL_new(peer->tls);
        SSL_set_fd(stream->ssl, stream->fd);
        usable = SSL_accept(stream->ssl) == 1;
        if (usable && SSL_session_reused(stream->ssl))
            peer->resumed++;
    }
    if (usable)
        peer->serve(stream);
    pthread_mutex_lock(&peer->lock);
    int fd = stream->fd;
    stream->fd = -1;
    pthread_mutex_unlock(&peer->lock);
    SSL_free(stream->ssl);
    stream->ssl = NULL;
    close(fd);
    return NULL;
}

static inline void *peer_accept(void *arg)
{
    struct peer *peer = arg;
    for (;;) {
        int fd = accept(peer->listener, NULL, NULL);
        if (fd < 0 && errno == EMFILE) /* a test has taken all descriptors away, for a moment */
            continue;
        if (fd < 0)
            return NULL;
        unsigned nth = peer->connections;
        struct stream *stream = calloc(1, sizeof(*stream));
        if (stream == NULL || nth >= PEER_CONNECTIONS)
            abort();
        stream->peer = peer;
        stream->nth = nth;
        stream->fd = fd;
        pthread_mutex_lock(&peer->lock);
        peer->streams[nth] = stream;
        pthread_mutex_unlock(&peer->lock);
        peer->connections++;
        if (pthread_create(&stream->thread, NULL, peer_serve, stream) != 0)
            abort();
    }
}

static inline int peer_listen(uint16_t *port, int backlog)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int small = 65536; /* so that a large request cannot vanish into the kernel */
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static inline struct peer *peer_start(void (*serve)(struct stream *stream), SSL_CTX *tls, void *data)
{
    struct peer *peer = calloc(1, sizeof(*peer));
    assert_non_null(peer);
    peer->serve = serve;
    peer->tls = tls;
    peer->data = data;
    pthread_mutex_init(&peer->lock, NULL);
    peer->listener = peer_listen(&peer->port, 128);
    assert_int_equal(pthread_create(&peer->thread, NULL, peer_accept, peer), 0);
    return peer;
}

/* Wakes whoever still waits for the client, and joins all. */
static inline void peer_stop(struct peer *peer)
{
    shutdown(peer->listener, SHUT_RDWR);
    pthread_join(peer->thread, NULL);
    close(peer->listener);
    for (unsigned i = 0; i < peer->connections; i++) {
        struct stream *stream = peer->streams[i];
        pthread_mutex_lock(&peer->lock);
        if (stream->fd >= 0)
            shutdown(stream->fd, SHUT_RDWR);
        pthread_mutex_unlock(&peer->lock);
        pthread_join(stream->thread, NULL);
        free(stream);
    }
    pthread_mutex_destroy(&peer->lock);
    free(peer);
}

#endif
