#include "tests/sandbox/connection.h"

#include "tests/sandbox/delivery.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define INPUT_BOUND  262144u /* read ahead while an answer is on its way */
#define OUTPUT_BOUND 262144u /* held for a client that does not read */
#define BLOCK        16384u  /* of filler */
#define LINGER_MS    1000u   /* for a client to read the last answer */

enum phase {
    READING,   /* a request, or none yet */
    WAITING,   /* a fault's delay */
    DRIPPING,  /* a byte at a time */
    STREAMING, /* filler, as fast as the client reads */
    DRAINING,  /* until the client has taken what is held */
    LINGERING, /* our side is closed; what the client still sends is dropped */
    CLOSED,    /* to be freed by the callback that runs */
};

struct connection {
    LIST_ENTRY(connection) link;
    struct service *service;
    struct bufferevent *stream;
    struct event *timer;
    enum phase phase;
    bool ended; /* the client sends no more */
    uint64_t id;
    size_t dripped;
    struct http_reader reader;
    struct delivery delivery;
};

static void free_connection(struct connection *connection)
{
    LIST_REMOVE(connection, link);
    bufferevent_free(connection->stream);
    if (connection->timer != NULL)
        event_free(connection->timer);
    http_reader_free(&connection->reader);
    delivery_free(&connection->delivery);
    free(connection);
}

static size_t held_output(const struct connection *connection)
{
    return evbuffer_get_length(bufferevent_get_output(connection->stream));
}

static void wait_for(struct connection *connection, uint64_t milliseconds)
{
    struct timeval delay = {(time_t)(milliseconds / 1000), (suseconds_t)(milliseconds % 1000 * 1000)};

    event_add(connection->timer, &delay);
}

/* Closes our side and gives the client time to read; a close with unread input would reset the connection
 * under its answer. */
static void begin_lingering(struct connection *connection)
{
    SSL *ssl = bufferevent_openssl_get_ssl(connection->stream);

    if (ssl != NULL)
        SSL_shutdown(ssl);
    shutdown(bufferevent_getfd(connection->stream), SHUT_WR);
    connection->phase = connection->ended ? CLOSED : LINGERING;
    wait_for(connection, LINGER_MS);
}

/* Closes as a crash would: over TLS without the close_notify that libevent otherwise sends. */
static void cut_connection(struct connection *connection)
{
    SSL *ssl = bufferevent_openssl_get_ssl(connection->stream);

    if (ssl != NULL)
        SSL_set_quiet_shutdown(ssl, 1);
    connection->phase = CLOSED;
}

static void reset_connection(struct connection *connection)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    setsockopt(bufferevent_getfd(connection->stream), SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    cut_connection(connection);
}

/* Everything was handed to the stream: what comes next? */
static void finish_delivery(struct connection *connection)
{
    enum delivery_end end = connection->delivery.end;
    size_t held = held_output(connection);

    connection->phase = DRAINING;
    if (end == END_RESET) {
        reset_connection(connection);
    } else if (end == END_KEEP && held <= OUTPUT_BOUND) {
        delivery_clear(&connection->delivery);
        http_reader_next(&connection->reader);
        connection->phase = READING;
    } else if (held == 0) {
        if (end == END_CUT)
            cut_connection(connection);
        else
            begin_lingering(connection);
    }
}

/* Hands filler to the stream as long as there is room. */
static void stream_more(struct connection *connection)
{
    static const char filler[BLOCK] = {[0 ... BLOCK - 1] = '.'};
    struct evbuffer *output = bufferevent_get_output(connection->stream);
    struct delivery *delivery = &connection->delivery;

    connection->phase = STREAMING;
    while (delivery->stream > 0 && evbuffer_get_length(output) < OUTPUT_BOUND) {
        size_t length = delivery->stream < BLOCK ? (size_t)delivery->stream : BLOCK;

        if (delivery->stream_chunked)
            evbuffer_add_printf(output, "%zx\r\n", length);
        evbuffer_add_reference(output, filler, length, NULL, NULL);
        if (delivery->stream_chunked)
            evbuffer_add(output, "\r\n", 2);
        delivery->stream -= length;
    }
    if (delivery->stream == 0) {
        evbuffer_add(output, delivery->stream_tail, strlen(delivery->stream_tail));
        finish_delivery(connection);
    }
}

static void drip(struct connection *connection)
{
    const struct text *bytes = &connection->delivery.bytes;

    connection->phase = DRIPPING;
    if (connection->dripped < bytes->length) {
        bufferevent_write(connection->stream, bytes->data + connection->dripped++, 1);
        wait_for(connection, connection->delivery.drip_ms);
    } else {
        finish_delivery(connection);
    }
}

static void send_answer(struct connection *connection)
{
    struct delivery *delivery = &connection->delivery;

    connection->dripped = 0;
    if (delivery->drip_ms > 0 && delivery->bytes.length > 0) {
        drip(connection);
        return;
    }
    if (delivery->bytes.length > 0)
        bufferevent_write(connection->stream, delivery->bytes.data, delivery->bytes.length);
    if (delivery->stream > 0)
        stream_more(connection);
    else
        finish_delivery(connection);
}

static void begin_delivery(struct connection *connection)
{
    struct delivery *delivery = &connection->delivery;

    if (delivery->interim.length > 0)
        bufferevent_write(connection->stream, delivery->interim.data, delivery->interim.length);
    if (delivery->delay_ms > 0) {
        connection->phase = WAITING;
        wait_for(connection, delivery->delay_ms);
    } else {
        send_answer(connection);
    }
}

/* Writes the request into the ledger. A request that cannot be recorded must not be answered as if all were
 * well. */
static bool record(struct connection *connection)
{
    const struct http_request *request = &connection->reader.request;

    if (api_is_control(request) || ledger_append(&connection->service->ledger, connection->id, request))
        return true;
    (void)fprintf(stderr, "portcullis-sandbox: the ledger cannot be written: %s\n", strerror(errno));
    return false;
}

/* What links begin with: nothing, what the fault says, or what the client calls us. */
static void write_link_base(const struct connection *connection, const struct fault *fault, struct text *base)
{
    struct span host = http_field(&connection->reader.request, "host");

    text_add_string(base, "");
    if (fault == NULL || !fault->absolute_links)
        return;
    if (fault->link_base != NULL) {
        text_add_string(base, fault->link_base);
        return;
    }
    text_add_string(base, connection->service->tls ? "https://" : "http://");
    text_add(base, host.data, host.length);
}

/* Carries out the request, unless the fault says otherwise, and writes the answer. */
static void make_answer(struct connection *connection, const struct fault *fault)
{
    struct service *service = connection->service;
    const struct http_request *request = &connection->reader.request;
    bool kept = fault == NULL || fault_keeps_answer(fault);
    struct text base = {0};

    if (kept || fault->effect) {
        write_link_base(connection, fault, &base);
        api_answer(&service->api, request, base.data ? base.data : "", &service->answer);
        text_free(&base);
    }
    if (!kept && fault->status > 0)
        api_answer_status(&service->api, (int)fault->status, "A fault was set through /_sandbox/faults.",
                          &service->answer);
}

/* The reader has a request, whole or refused. */
static void respond(struct connection *connection)
{
    struct service *service = connection->service;
    struct http_reader *reader = &connection->reader;
    const struct http_request *request = &reader->request;
    const struct fault *fault = NULL;

    if (!record(connection)) {
        reader->request.keep_alive = false;
        api_answer_status(&service->api, 500, "The ledger cannot be written.", &service->answer);
    } else if (reader->phase == HTTP_REFUSED) {
        reader->request.keep_alive = false;
        api_answer_status(&service->api, reader->status, reader->detail, &service->answer);
    } else {
        fault = api_is_control(request) ? NULL : faults_take(&service->api.faults, request);
        make_answer(connection, fault);
    }
    delivery_plan(&connection->delivery, request, &service->answer, fault, stamp_http_date(&service->stamp));
    faults_settle(&service->api.faults);
    begin_delivery(connection);
}

/* Reads one run of bytes that lie together. */
static void read_some(struct connection *connection, struct evbuffer *input)
{
    struct http_reader *reader = &connection->reader;
    size_t length = evbuffer_get_contiguous_space(input);
    struct span bytes = {(const char *)evbuffer_pullup(input, (ev_ssize_t)length), length};
    enum http_phase phase = http_read(reader, &bytes);

    evbuffer_drain(input, length - bytes.length);
    if (reader->wants_continue && phase != HTTP_DONE && phase != HTTP_REFUSED)
        bufferevent_write(connection->stream, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    reader->wants_continue = false;
    if (phase == HTTP_DONE || phase == HTTP_REFUSED)
        respond(connection);
}

/* Goes on as far as the bytes at hand allow. */
static void advance(struct connection *connection)
{
    struct evbuffer *input = bufferevent_get_input(connection->stream);

    while (connection->phase == READING && evbuffer_get_length(input) > 0)
        read_some(connection, input);
    if (connection->phase == LINGERING)
        evbuffer_drain(input, evbuffer_get_length(input));
    if (connection->phase != READING || !connection->ended)
        return;
    if (http_read_end(&connection->reader) == HTTP_REFUSED) {
        respond(connection);
    } else {
        connection->delivery.end = END_FINISH;
        finish_delivery(connection);
    }
}

static void on_read(struct bufferevent *stream, void *context)
{
    struct connection *connection = context;

    (void)stream;
    advance(connection);
    if (connection->phase == CLOSED)
        free_connection(connection);
}

/* The client has taken everything that was held for it. */
static void on_write(struct bufferevent *stream, void *context)
{
    struct connection *connection = context;

    (void)stream;
    if (connection->phase == STREAMING)
        stream_more(connection);
    else if (connection->phase == DRAINING)
        finish_delivery(connection);
    advance(connection);
    if (connection->phase == CLOSED)
        free_connection(connection);
}

static void on_timer(evutil_socket_t socket, short events, void *context)
{
    struct connection *connection = context;

    (void)socket;
    (void)events;
    if (connection->phase == WAITING)
        send_answer(connection);
    else if (connection->phase == DRIPPING)
        drip(connection);
    else if (connection->phase == LINGERING)
        connection->phase = CLOSED;
    advance(connection);
    if (connection->phase == CLOSED)
        free_connection(connection);
}

static void on_event(struct bufferevent *stream, short events, void *context)
{
    struct connection *connection = context;

    (void)stream;
    if (events & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        connection->ended = true;
    if (events & BEV_EVENT_ERROR) {
        if (connection->phase == READING && http_read_end(&connection->reader) == HTTP_REFUSED)
            record(connection);
        connection->phase = CLOSED;
    }
    if (connection->phase == LINGERING && connection->ended)
        connection->phase = CLOSED;
    advance(connection);
    if (connection->phase == CLOSED)
        free_connection(connection);
}

static struct bufferevent *open_stream(const struct service *service, evutil_socket_t socket)
{
    if (service->tls == NULL)
        return bufferevent_socket_new(service->base, socket, BEV_OPT_CLOSE_ON_FREE);

    SSL *ssl = SSL_new(service->tls);
    struct bufferevent *stream =
        ssl ? bufferevent_openssl_socket_new(service->base, socket, ssl, BUFFEREVENT_SSL_ACCEPTING,
                                             BEV_OPT_CLOSE_ON_FREE)
            : NULL;
    if (stream == NULL)
        SSL_free(ssl);
    return stream;
}

void connection_open(struct service *service, evutil_socket_t socket)
{
    struct connection *connection = calloc(1, sizeof *connection);
    int on = 1;

    if (connection == NULL)
        goto no_connection;
    connection->service = service;
    connection->timer = evtimer_new(service->base, on_timer, connection);
    if (connection->timer == NULL)
        goto no_timer;
    connection->stream = open_stream(service, socket);
    if (connection->stream == NULL)
        goto no_stream;

    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connection->id = ++service->last_connection;
    connection->phase = READING;
    delivery_clear(&connection->delivery);
    LIST_INSERT_HEAD(&service->connections, connection, link);
    bufferevent_setcb(connection->stream, on_read, on_write, on_event, connection);
    bufferevent_setwatermark(connection->stream, EV_READ, 0, INPUT_BOUND);
    bufferevent_enable(connection->stream, EV_READ | EV_WRITE);
    return;

no_stream:
    event_free(connection->timer);
no_timer:
    free(connection);
no_connection:
    evutil_closesocket(socket);
}

void connection_close_all(struct service *service)
{
    while (!LIST_EMPTY(&service->connections))
        free_connection(LIST_FIRST(&service->connections));
}
