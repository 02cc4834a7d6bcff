/* upstream PORT BYTES [CERTIFICATE KEY]: the cheap upstream of the benchmark, at 127.0.0.1:PORT. It answers
 * every request alike: 200, the API's header fields, and a JSON:API document of about BYTES bytes. Over TLS
 * where a certificate is given. It counts what it gets, and GET /bench/count tells the counts; that request
 * counts for nothing itself.
 *
 * It is as cheap as a server can be, so that the load's core has time for the load: one recv, one send, a
 * header that is looked at for two fields, answers made once. It believes whoever talks to it. */
#include "tests/bench/net.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS     256
#define INPUT      16384
#define COUNT_ROOM 256

struct answer {
    char *bytes;
    size_t length;
};

struct connection {
    int socket;
    SSL *ssl; /* NULL: plain */
    char input[INPUT];
    size_t have;
    const struct answer *answer; /* under way; NULL when none is */
    size_t sent;
    bool last; /* closes after the answer */
    bool waits_to_write;
};

struct upstream {
    int epoll, listener;
    SSL_CTX *tls;
    struct answer keep, close, count; /* the answer, the same that closes, and the counts */
    unsigned long requests, mutations, connections;
};

/* ---- answers ---- */

static size_t add_integration(char *at, size_t room, unsigned number)
{
    int length =
        snprintf(at, room,
                 "%s{\"type\":\"integration\",\"id\":\"aaaaaaaa-0000-4000-8000-%012u\",\"attributes\":{"
                 "\"integration_type\":\"ecr\",\"profile_name\":\"images of team %u\",\"has_broker\":"
                 "false},\"links\":{\"self\":\"/rest/orgs/11111111-2222-4333-8444-555555555555/"
                 "integrations/aaaaaaaa-0000-4000-8000-%012u\"}}",
                 number ? "," : "", number, number, number);
    return length < 0 ? 0 : (size_t)length;
}

/* A document of at least `bytes` bytes, or as near above it as whole members come. */
static char *make_document(size_t bytes)
{
    static const char begin[] = "{\"jsonapi\":{\"version\":\"1.0\"},\"data\":[", end[] = "],\"links\":{}}";
    char *document = net_take(bytes + 2048), *at = document;

    at = stpcpy(at, begin);
    for (unsigned number = 0; (size_t)(at - document) + strlen(end) < bytes; number++)
        at += add_integration(at, 1024, number);
    (void)stpcpy(at, end);
    return document;
}

static struct answer make_answer(const char *document, const char *connection)
{
    struct answer answer = {net_take(strlen(document) + 1024), 0};

    answer.length = (size_t)sprintf(answer.bytes,
                                    "HTTP/1.1 200 OK\r\n"
                                    "server: bench\r\n"
                                    "content-type: application/vnd.api+json\r\n"
                                    "snyk-request-id: 0c5b6c3e-6f5a-4c0e-8f4e-0f6a4e0f5a11\r\n"
                                    "snyk-version-requested: 2024-10-15\r\n"
                                    "snyk-version-served: 2024-10-15\r\n"
                                    "snyk-version-lifecycle-stage: ga\r\n"
                                    "content-length: %zu\r\n"
                                    "%s\r\n%s",
                                    strlen(document), connection, document);
    return answer;
}

static void make_count(struct upstream *upstream)
{
    char body[COUNT_ROOM / 2];
    struct answer *count = &upstream->count;
    int length = snprintf(body, sizeof body, "{\"requests\":%lu,\"mutations\":%lu,\"connections\":%lu}",
                          upstream->requests, upstream->mutations, upstream->connections);

    count->length = (size_t)snprintf(count->bytes, COUNT_ROOM,
                                     "HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s", length, body);
}

/* ---- bytes ---- */

/* > 0: bytes; 0: later; < 0: over. */
static ssize_t tls_result(SSL *ssl, int result, size_t length)
{
    if (result == 1)
        return (ssize_t)length;
    int error = SSL_get_error(ssl, result);
    ERR_clear_error();
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static ssize_t get(struct connection *connection)
{
    size_t length = 0, room = INPUT - connection->have;
    char *at = connection->input + connection->have;

    if (connection->ssl != NULL) {
        int result = SSL_read_ex(connection->ssl, at, room, &length);
        return tls_result(connection->ssl, result, length);
    }
    ssize_t got = recv(connection->socket, at, room, 0);
    return got > 0 ? got : got < 0 && net_later() ? 0 : -1;
}

static ssize_t put(struct connection *connection)
{
    const char *at = connection->answer->bytes + connection->sent;
    size_t taken = 0, length = connection->answer->length - connection->sent;

    if (connection->ssl != NULL) {
        int result = SSL_write_ex(connection->ssl, at, length, &taken);
        return tls_result(connection->ssl, result, taken);
    }
    ssize_t sent = send(connection->socket, at, length, MSG_NOSIGNAL);
    return sent < 0 && net_later() ? 0 : sent;
}

/* ---- requests ---- */

/* The value of a field, up to its line's end; NULL without one. */
static const char *field(const char *head, const char *end, const char *name)
{
    size_t length = strlen(name);

    for (const char *line = head; (line = memchr(line, '\n', (size_t)(end - line))) != NULL && ++line < end;)
        if ((size_t)(end - line) > length && strncasecmp(line, name, length) == 0)
            return line + length + strspn(line + length, " \t");
    return NULL;
}

/* Looks for a whole request at the front of the input; its length, 0 when there is none yet. */
static size_t whole_request(struct connection *connection)
{
    const char *head = connection->input, *end = memmem(head, connection->have, "\r\n\r\n", 4);

    if (end == NULL)
        return 0;
    const char *length = field(head, end, "content-length:"), *close = field(head, end, "connection:");
    size_t whole = (size_t)(end - head) + 4 + (length ? strtoul(length, NULL, 10) : 0);
    connection->last = close != NULL && strncasecmp(close, "close", 5) == 0;
    return whole <= connection->have ? whole : 0;
}

static bool is_for(const struct connection *connection, const char *start)
{
    return strncmp(connection->input, start, strlen(start)) == 0;
}

static void answer(struct upstream *upstream, struct connection *connection)
{
    connection->sent = 0;
    if (is_for(connection, "GET /bench/count ")) {
        make_count(upstream);
        connection->answer = &upstream->count;
        connection->last = true;
        return;
    }
    upstream->requests++;
    if (!is_for(connection, "GET "))
        upstream->mutations++;
    connection->answer = connection->last ? &upstream->close : &upstream->keep;
}

/* Takes a whole request off the input, and answers it. */
static bool next_request(struct upstream *upstream, struct connection *connection)
{
    size_t whole = connection->have > 0 ? whole_request(connection) : 0;

    if (whole == 0)
        return false;
    answer(upstream, connection);
    connection->have -= whole;
    memmove(connection->input, connection->input + whole, connection->have);
    return true;
}

/* ---- connections ---- */

static void end(struct connection *connection)
{
    SSL_free(connection->ssl);
    close(connection->socket);
    free(connection);
}

static void wait_to_write(const struct upstream *upstream, struct connection *connection, bool wait)
{
    struct epoll_event event = {.events = wait ? EPOLLOUT : EPOLLIN, .data.ptr = connection};

    if (connection->waits_to_write == wait)
        return;
    if (epoll_ctl(upstream->epoll, EPOLL_CTL_MOD, connection->socket, &event) != 0)
        net_die("epoll_ctl");
    connection->waits_to_write = wait;
}

/* Sends on. > 0: the answer is sent; 0: later; < 0: the connection is over. */
static int send_on(const struct upstream *upstream, struct connection *connection)
{
    while (connection->sent < connection->answer->length) {
        ssize_t sent = put(connection);
        if (sent < 0)
            return -1;
        if (sent == 0) {
            wait_to_write(upstream, connection, true);
            return 0;
        }
        connection->sent += (size_t)sent;
    }
    connection->answer = NULL;
    wait_to_write(upstream, connection, false);
    return connection->last ? -1 : 1;
}

static void on_event(struct upstream *upstream, struct connection *connection)
{
    int state = 1;

    if (connection->answer == NULL) {
        ssize_t got = get(connection);
        connection->have += got > 0 ? (size_t)got : 0;
        state = got < 0 ? -1 : 1;
    }
    while (state > 0 && (connection->answer != NULL || next_request(upstream, connection)))
        state = send_on(upstream, connection);
    if (state < 0 || connection->have == INPUT)
        end(connection);
}

static void on_connection(struct upstream *upstream)
{
    int socket = net_accept(upstream->listener);

    if (socket < 0)
        return;
    struct connection *connection = net_take(sizeof *connection);
    connection->socket = socket;
    upstream->connections++;
    if (upstream->tls != NULL) {
        connection->ssl = SSL_new(upstream->tls);
        if (connection->ssl == NULL || SSL_set_fd(connection->ssl, socket) != 1)
            net_die("TLS");
        SSL_set_accept_state(connection->ssl);
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(upstream->epoll, EPOLL_CTL_ADD, socket, &event) != 0)
        net_die("epoll_ctl");
}

static SSL_CTX *make_tls(const char *certificate, const char *key)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

    if (tls == NULL || SSL_CTX_use_certificate_chain_file(tls, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1) {
        ERR_print_errors_fp(stderr);
        exit(1);
    }
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return tls;
}

static _Noreturn void run(struct upstream *upstream)
{
    struct epoll_event event = {.events = EPOLLIN}, events[EVENTS];

    upstream->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (upstream->epoll < 0 || epoll_ctl(upstream->epoll, EPOLL_CTL_ADD, upstream->listener, &event) != 0)
        net_die("epoll");
    for (;;) {
        int count = epoll_wait(upstream->epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                on_connection(upstream);
            else
                on_event(upstream, events[i].data.ptr);
        }
    }
}

int main(int argc, char **argv)
{
    static struct upstream upstream;

    if (argc != 3 && argc != 5)
        return 2;
    (void)signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    net_raise_limits();
    char *document = make_document(strtoul(argv[2], NULL, 10));
    upstream.keep = make_answer(document, "");
    upstream.close = make_answer(document, "connection: close\r\n");
    upstream.count.bytes = net_take(COUNT_ROOM);
    if (argc == 5)
        upstream.tls = make_tls(argv[3], argv[4]);
    upstream.listener = net_listen(net_port(argv[1]));
    run(&upstream);
}
