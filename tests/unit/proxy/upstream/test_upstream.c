/* The client against scripted upstreams: what is sent, what is handed up, and each way in which it can go
 * wrong. */
#include "tests/unit/proxy/upstream/client.h"

#include <sys/resource.h>

#define OK "HTTP/1.1 200 OK\r\n"
#define HI OK "Content-Length: 2\r\n\r\nhi"

static const struct span nothing = {NULL, 0};

/* ---- scripts ---- */

/* Answers every request with `data`, and keeps the connection. */
static void serve_text(struct stream *stream)
{
    while (stream_read_request(stream) && stream_say(stream, stream->peer->data))
        ;
    stream->peer->closed++;
}

/* Answers one request with `data`, then closes. */
static void serve_once(struct stream *stream)
{
    if (stream_read_request(stream))
        stream_say(stream, stream->peer->data);
}

/* Reads a request and closes. */
static void serve_nothing(struct stream *stream)
{
    stream_read_request(stream);
}

static void serve_reset(struct stream *stream)
{
    stream_read_request(stream);
    stream_reset(stream);
}

static void serve_silence(struct stream *stream)
{
    stream_read_request(stream);
    stream_await_close(stream);
}

/* Reads no byte until told to. */
static void serve_deaf(struct stream *stream)
{
    while (stream->peer->signal == 0)
        usleep(500);
    stream_await_close(stream);
}

/* ---- what goes out, what comes in ---- */

struct exchange_row {
    const char *method, *body, *answer;
    const char *request; /* as it must reach the upstream; @: the authority */
    int status;
    const char *fields, *content;
    int64_t length;
};

#define AUTH "Authorization: Token hush-hush\r\n"

static const struct exchange_row exchanges[] = {
    {"GET", NULL, HI, "GET /t HTTP/1.1\r\nHost: @\r\n" AUTH "\r\n", 200, "", "hi", 2},
    {"HEAD", NULL, OK "Content-Length: 9\r\nX: y\r\n\r\n", "HEAD /t HTTP/1.1\r\nHost: @\r\n" AUTH "\r\n", 200,
     "X: y\n", "", 9},
    {"DELETE", NULL, "HTTP/1.1 204 No Content\r\n\r\n", "DELETE /t HTTP/1.1\r\nHost: @\r\n" AUTH "\r\n", 204,
     "", "", 0},
    {"DELETE", "{}", "HTTP/1.1 204 No Content\r\n\r\n",
     "DELETE /t HTTP/1.1\r\nHost: @\r\n" AUTH "Content-Length: 2\r\n\r\n{}", 204, "", "", 0},
    {"PATCH", "{\"a\":1}", HI, "PATCH /t HTTP/1.1\r\nHost: @\r\n" AUTH "Content-Length: 7\r\n\r\n{\"a\":1}",
     200, "", "hi", 2},
    {"PATCH", NULL, HI, "PATCH /t HTTP/1.1\r\nHost: @\r\n" AUTH "Content-Length: 0\r\n\r\n", 200, "", "hi",
     2},
    {"POST", NULL, HI, "POST /t HTTP/1.1\r\nHost: @\r\n" AUTH "Content-Length: 0\r\n\r\n", 200, "", "hi", 2},
    {"POST", "", HI, "POST /t HTTP/1.1\r\nHost: @\r\n" AUTH "Content-Length: 0\r\n\r\n", 200, "", "hi", 2},
    {"GET", NULL,
     OK "A: 1\r\nConnection: X-Secret , keep-alive\r\nx-secret: 2\r\nKeep-Alive: "
        "timeout=5\r\nProxy-Connection: a\r\nTE: b\r\n"
        "Trailer: c\r\nUpgrade: d\r\nProxy-Authenticate: e\r\nProxy-Authentication-Info: "
        "f\r\nTransfer-Encoding: chunked\r\n"
        "B: 3\r\nB: 4\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nC: 5\r\n\r\n",
     "GET /t HTTP/1.1\r\nHost: @\r\n" AUTH "\r\n", 200, "A: 1\nB: 3\nB: 4\n", "abcde", -1},
    {"GET", NULL, "HTTP/1.1 304 Not Modified\r\nETag: \"e\"\r\n\r\n",
     "GET /t HTTP/1.1\r\nHost: @\r\n" AUTH "\r\n", 304, "ETag: \"e\"\n", "", -1},
};

static void serve_exchange(struct stream *stream)
{
    const struct exchange_row *row = stream->peer->data;
    char authority[64];
    snprintf(authority, sizeof(authority), "127.0.0.1:%u", (unsigned)stream->peer->port);
    while (stream_read_request(stream)) {
        char request[1024];
        const char *mark = strchr(row->request, '@');
        snprintf(request, sizeof(request), "%.*s%s%s", (int)(mark - row->request), row->request, authority,
                 mark + 1);
        stream->peer->signal = strcmp(request, stream->request) == 0 ? 1 : -1;
        if (stream->peer->signal < 0)
            print_error("%s", stream->request);
        stream_say(stream, row->answer);
    }
}

static void test_exchanges(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(exchanges) / sizeof(exchanges[0]); i++) {
        const struct exchange_row *row = &exchanges[i];
        struct peer *peer = peer_start(serve_exchange, NULL, (void *)(uintptr_t)row);
        struct client client;
        client_of(&client, peer);
        for (int time = 0; time < 2; time++) { /* the second goes over the same connection */
            struct told told = {0};
            client_start(&client, &told, row->method, "/t", row->body ? span_of(row->body) : nothing);
            client_finish(&client, &told);
            expect_answer(&told, row->status, row->content);
            assert_int_equal(told.length, row->length);
            assert_string_equal(told_text(&told.fields), row->fields);
            assert_int_equal(peer->signal, 1);
            assert_int_equal(peer->connections, 1);
            told_free(&told);
        }
        client_end(&client);
        peer_stop(peer);
    }
}

/* ---- failures ---- */

struct failure_row {
    void (*serve)(struct stream *stream);
    const char *answer;
    enum upstream_failure failure;
    const char *word;
    int heads;
};

static const struct failure_row failures[] = {
    {serve_nothing, NULL, UPSTREAM_CLOSED, "closed before the answer", 0},
    {serve_reset, NULL, UPSTREAM_CLOSED, "reading the answer: Connection reset by peer", 0},
    {serve_once, "HTTP/1.1 20", UPSTREAM_CLOSED, "in the middle of the answer", 0},
    {serve_once, OK "Content-Length: 5\r\n\r\nhell", UPSTREAM_CLOSED, "in the middle of the answer", 1},
    {serve_once, OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", UPSTREAM_CLOSED,
     "in the middle of the answer", 1},
    {serve_once, OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", UPSTREAM_CLOSED, "in the middle",
     1},
    {serve_text, OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", UPSTREAM_INVALID, "two-lengths",
     0},
    {serve_text, "HTTP/1.1 102 Processing\r\n\r\n" HI, UPSTREAM_INVALID, "interim-answer", 0},
    {serve_text, "HTTP/1.1 103 Early Hints\r\n\r\n" HI, UPSTREAM_INVALID, "interim-answer", 0},
    {serve_text, OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n", UPSTREAM_INVALID, "chunk-end",
     1},
    {serve_text, "SSH-2.0-OpenSSH_9.2p1 Debian\r\n", UPSTREAM_INVALID, "status-line", 0},
    {serve_text, OK "\r\nno end in sight", UPSTREAM_INVALID, "no-framing", 0},
};

static void test_failures(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        const struct failure_row *row = &failures[i];
        struct peer *peer = peer_start(row->serve, NULL, (void *)(uintptr_t)row->answer);
        struct client client;
        struct told told = {0};
        client_of(&client, peer);
        client_get(&client, &told);
        client_finish(&client, &told);
        expect_failure(&told, row->failure, true, row->word);
        assert_int_equal(told.heads, row->heads);
        assert_int_equal(peer->requests, 1); /* a fresh connection: not sent again */
        assert_int_equal(client_connections(&client), 0);
        told_free(&told);
        client_end(&client);
        peer_stop(peer);
    }
}

static void test_refused(void **state)
{
    (void)state;
    uint16_t port;
    close(peer_listen(&port, 1));
    struct client client;
    struct told told = {0};
    client_prepare(&client, "127.0.0.1", port, false);
    client_begin(&client);
    client_get(&client, &told);
    client_finish(&client, &told);
    expect_failure(&told, UPSTREAM_UNREACHABLE, false, "connect to 127.0.0.1:");
    assert_non_null(strstr(told.detail, "Connection refused"));
    client_end(&client);
}

static void test_out_of_descriptors(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_text, NULL, (void *)(uintptr_t)HI);
    struct client client;
    struct told refused = {0}, good = {0};
    struct rlimit before, none;
    client_of(&client, peer);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){0, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    client_delete(&client, &refused);
    client_finish(&client, &refused);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    expect_failure(&refused, UPSTREAM_OVERLOADED, false, "Too many open files");
    client_delete(&client, &good);
    client_finish(&client, &good);
    expect_answer(&good, 200, "hi");
    told_free(&good);
    client_end(&client);
    peer_stop(peer);
}

static void test_header_too_large(void **state)
{
    (void)state;
    static char answer[4000];
    memset(answer, 'x', sizeof(answer) - 1);
    memcpy(answer, OK "A: ", strlen(OK) + 3);
    struct peer *peer = peer_start(serve_text, NULL, answer);
    struct client client;
    struct told told = {0};
    client_prepare(&client, "127.0.0.1", peer->port, false);
    client.config.upstream.header_bytes = 2000;
    client_begin(&client);
    client_get(&client, &told);
    client_finish(&client, &told);
    expect_failure(&told, UPSTREAM_INVALID, true, "header-too-large");
    client_end(&client);
    peer_stop(peer);
}

/* What must not be sent is not: no connection is made for it. */
static void test_unsafe_requests(void **state)
{
    (void)state;
    static const struct {
        const char *method, *target;
        struct field field;
    } unsafe[] = {
        {"GET", "/a", {{"A", 1}, {"b\r\nX: y", 7}}},
        {"GET", "/a", {{"A", 1}, {"b\nc", 3}}},
        {"GET", "/a", {{"A", 1}, {"b\rc", 3}}},
        {"GET", "/a", {{"A", 1}, {"b\0c", 3}}},
        {"GET", "/a", {{"A\r\nB", 4}, {"b", 1}}},
        {"GET", "/a", {{"", 0}, {"b", 1}}},
        {"GET", "/a", {{"A ", 2}, {"b", 1}}},
        {"GET", "/a", {{"host", 4}, {"b", 1}}},
        {"GET", "/a", {{"Content-Length", 14}, {"7", 1}}},
        {"GET", "/a", {{"transfer-encoding", 17}, {"chunked", 7}}},
        {"GET", "/a", {{"Connection", 10}, {"close", 5}}},
        {"GET", "/a", {{"Expect", 6}, {"100-continue", 12}}},
        {"GET", "/a b", {{"A", 1}, {"b", 1}}},
        {"GET", "/a\r\n", {{"A", 1}, {"b", 1}}},
        {"GET", "/\xc3\xa9", {{"A", 1}, {"b", 1}}},
        {"GET", "", {{"A", 1}, {"b", 1}}},
        {"GET", "http://x/", {{"A", 1}, {"b", 1}}},
        {"GET ", "/a", {{"A", 1}, {"b", 1}}},
        {"", "/a", {{"A", 1}, {"b", 1}}},
    };
    struct peer *peer = peer_start(serve_text, NULL, (void *)(uintptr_t)HI);
    struct client client;
    client_of(&client, peer);
    for (size_t i = 0; i < sizeof(unsafe) / sizeof(unsafe[0]); i++) {
        struct told told = {0};
        const struct upstream_request request = {.method = unsafe[i].method,
                                                 .target = span_of(unsafe[i].target),
                                                 .fields = &unsafe[i].field,
                                                 .field_count = 1,
                                                 .body = nothing,
                                                 .idempotent = true};
        told.call = upstream_start(client.upstream, &request, &told_events, &told);
        assert_non_null(told.call);
        assert_int_equal(told.fails, 0);
        client_finish(&client, &told);
        expect_failure(&told, UPSTREAM_INVALID, false, "must not be sent");
    }
    assert_int_equal(peer->connections, 0);
    client_end(&client);
    peer_stop(peer);
}

/* ---- deadlines ---- */

static void test_first_byte_timeout(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_silence, NULL, NULL);
    struct client client;
    struct told told = {0};
    client_prepare(&client, "127.0.0.1", peer->port, false);
    client.config.upstream.first_byte_timeout_ms = 40;
    client_begin(&client);
    int64_t began = clock_monotonic_us();
    client_get(&client, &told);
    client_finish(&client, &told);
    expect_failure(&told, UPSTREAM_TIMEOUT, true, "first_byte_timeout_ms");
    assert_in_range(clock_monotonic_us() - began, 40000, 3000000);
    CLIENT_UNTIL(&client, peer->closed == 1);
    assert_int_equal(peer->requests, 1); /* idempotent, but not sent again for a time-out */
    client_end(&client);
    peer_stop(peer);
}

/* Bytes that drip do not put the end off. */
static void serve_drip(struct stream *stream)
{
    stream_read_request(stream);
    stream_say(stream, OK "Content-Length: 100000\r\n\r\n");
    while (stream_say(stream, "x"))
        usleep(2000);
}

static void test_total_timeout(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_drip, NULL, NULL);
    struct client client;
    struct told told = {0};
    client_prepare(&client, "127.0.0.1", peer->port, false);
    client.config.upstream.total_timeout_ms = 250;
    client_begin(&client);
    int64_t began = clock_monotonic_us();
    client_get(&client, &told);
    client_finish(&client, &told);
    expect_failure(&told, UPSTREAM_TIMEOUT, true, "total_timeout_ms");
    assert_in_range(clock_monotonic_us() - began, 250000, 3000000);
    assert_int_equal(told.heads, 1);
    told_free(&told);
    client_end(&client);
    peer_stop(peer);
}

/* The owner's own deadline: a pause does not put it off. */
static void test_the_owners_deadline(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_drip, NULL, NULL);
    struct client client;
    struct told told = {0};
    client_of(&client, peer);
    int64_t began = clock_monotonic_us();
    client.due_us = began + 250000;
    client_get(&client, &told);
    CLIENT_UNTIL(&client, told.heads == 1);
    upstream_pause(told.call);
    client_finish(&client, &told);
    expect_failure(&told, UPSTREAM_TIMEOUT, true, "exchange_timeout_ms");
    assert_in_range(clock_monotonic_us() - began, 250000, 3000000);
    told_free(&told);
    client_end(&client);
    peer_stop(peer);
}

/* A listener whose queue is full answers no SYN. */
static void test_connect_timeout(void **state)
{
    (void)state;
    uint16_t port;
    int listener = peer_listen(&port, 0), fillers[8];
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    for (size_t i = 0; i < 8; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&address, sizeof(address));
    }
    struct client client;
    struct told told = {0};
    client_prepare(&client, "127.0.0.1", port, false);
    client.config.upstream.connect_timeout_ms = 50;
    client_begin(&client);
    client_delete(&client, &told);
    client_finish(&client, &told);
    expect_failure(&told, UPSTREAM_TIMEOUT, false, "connect_timeout_ms is 50");
    client_end(&client);
    for (size_t i = 0; i < 8; i++)
        close(fillers[i]);
    close(listener);
}

/* A call that waits for a connection has its total deadline too. */
static void test_timeout_while_waiting(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_silence, NULL, NULL);
    struct client client;
    struct told first = {0}, second = {0};
    client_prepare(&client, "127.0.0.1", peer->port, false);
    client.config.upstream.connections = 1;
    client.config.upstream.total_timeout_ms = 150;
    client_begin(&client);
    client_get(&client, &first);
    client_turn(&client);
    client_delete(&client, &second);
    CLIENT_UNTIL(&client, first.fails && second.fails);
    expect_failure(&first, UPSTREAM_TIMEOUT, true, "total_timeout_ms");
    expect_failure(&second, UPSTREAM_TIMEOUT, second.sent, "total_timeout_ms");
    client_end(&client);
    peer_stop(peer);
}

static void test_idle_timeout(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_text, NULL, (void *)(uintptr_t)HI);
    struct client client;
    struct told told = {0};
    client_prepare(&client, "127.0.0.1", peer->port, false);
    client.config.upstream.idle_timeout_ms = 40;
    client_begin(&client);
    client_get(&client, &told);
    client_finish(&client, &told);
    expect_answer(&told, 200, "hi");
    assert_int_equal(client_connections(&client), 1);
    CLIENT_UNTIL(&client, client_connections(&client) == 0);
    CLIENT_UNTIL(&client, peer->closed == 1);
    told_free(&told);
    client_end(&client);
    peer_stop(peer);
}

/* ---- sending again ---- */

/* The first connection answers once and then breaks on the second request in the way of `data`; the others
 * answer. */
enum breaking { BREAK_CLOSE, BREAK_RESET, BREAK_HALF_LINE, BREAK_ALWAYS };

static void serve_stale(struct stream *stream)
{
    const enum breaking *way = stream->peer->data;
    if (!stream_read_request(stream))
        return;
    if (stream->nth > 0 && *way == BREAK_ALWAYS)
        return;
    stream_say(stream, strncmp(stream->request, "HEAD", 4) == 0 ? OK "Content-Length: 2\r\n\r\n" : HI);
    if (stream->nth > 0) {
        stream_await_close(stream);
        return;
    }
    if (!stream_read_request(stream))
        return;
    if (*way == BREAK_RESET)
        stream_reset(stream);
    if (*way == BREAK_HALF_LINE)
        stream_say(stream, "HTTP/1.1 2");
}

struct resend_row {
    enum breaking way;
    const char *method;
    bool answered;
    unsigned requests; /* that the upstream saw */
};

static const struct resend_row resends[] = {
    {BREAK_CLOSE, "GET", true, 3},      {BREAK_RESET, "GET", true, 3},    {BREAK_CLOSE, "HEAD", true, 3},
    {BREAK_HALF_LINE, "GET", false, 2}, /* a byte of an answer was seen */
    {BREAK_ALWAYS, "GET", false, 3},    /* once, not for ever */
    {BREAK_CLOSE, "DELETE", false, 2},  /* what became of it is not known */
    {BREAK_RESET, "DELETE", false, 2},  {BREAK_CLOSE, "PATCH", false, 2}, {BREAK_CLOSE, "POST", false, 2},
};

static void test_sending_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(resends) / sizeof(resends[0]); i++) {
        const struct resend_row *row = &resends[i];
        struct peer *peer = peer_start(serve_stale, NULL, (void *)(uintptr_t)&row->way);
        struct client client;
        struct told first = {0}, second = {0};
        client_of(&client, peer);
        client_get(&client, &first);
        client_finish(&client, &first);
        expect_answer(&first, 200, "hi");

        client_start(&client, &second, row->method, "/t", nothing);
        client_finish(&client, &second);
        if (row->answered)
            assert_int_equal(second.ends, 1);
        else
            expect_failure(&second, UPSTREAM_CLOSED, true, "");
        assert_int_equal(peer->requests, row->requests);
        told_free(&first);
        told_free(&second);
        client_end(&client);
        peer_stop(peer);
    }
}

/* Answers once, closes, and says so. */
static void serve_and_leave(struct stream *stream)
{
    if (!stream_read_request(stream))
        return;
    stream_say(stream, HI);
    if (stream->nth > 0) {
        stream_await_close(stream);
        return;
    }
    shutdown(stream->fd, SHUT_RDWR);
    stream->peer->signal = 1;
    stream_await_close(stream);
}

/* The upstream closed an idle connection and the loop has not looked since: a mutation takes a new one, and
 * loses nothing. */
static void test_mutation_finds_connection_closed(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_and_leave, NULL, NULL);
    struct client client;
    struct told first = {0}, second = {0};
    client_of(&client, peer);
    client_get(&client, &first);
    client_finish(&client, &first);
    expect_answer(&first, 200, "hi");
    while (peer->signal == 0)
        usleep(200);
    client_delete(&client, &second);
    client_finish(&client, &second);
    expect_answer(&second, 200, "hi");
    assert_int_equal(peer->connections, 2);
    assert_int_equal(peer->requests, 2);
    told_free(&first);
    told_free(&second);
    client_end(&client);
    peer_stop(peer);
}

/* ---- no answer reaches another call ---- */

/* Each answer names its connection; the first one says more than it was asked. */
static void serve_surplus(struct stream *stream)
{
    char answer[128];
    while (stream_read_request(stream)) {
        snprintf(answer, sizeof(answer), OK "Content-Length: 2\r\n\r\n%02u%s", stream->nth,
                 stream->nth == 0 ? OK "Content-Length: 4\r\n\r\nevil" : "");
        stream_say(stream, answer);
    }
}

static void test_surplus_closes(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_surplus, NULL, NULL);
    struct client client;
    struct told first = {0}, second = {0};
    client_of(&client, peer);
    client_get(&client, &first);
    client_finish(&client, &first);
    expect_failure(&first, UPSTREAM_INVALID, true, "surplus");
    client_get(&client, &second);
    client_finish(&client, &second);
    expect_answer(&second, 200, "01");
    assert_int_equal(peer->connections, 2);
    told_free(&first);
    told_free(&second);
    client_end(&client);
    peer_stop(peer);
}

/* Says more only when the answer was read, and when `signal` allows it. */
static void serve_afterthought(struct stream *stream)
{
    char answer[64];
    while (stream_read_request(stream)) {
        snprintf(answer, sizeof(answer), OK "Content-Length: 2\r\n\r\n%02u", stream->nth);
        stream_say(stream, answer);
        if (stream->nth > 0)
            continue;
        while (stream->peer->signal == 0)
            usleep(200);
        stream_say(stream, OK "Content-Length: 4\r\n\r\nevil");
        stream->peer->signal = 2;
    }
}

static void on_start_second(evutil_socket_t fd, short what, void *arg)
{
    struct told *told = arg;
    (void)fd;
    (void)what;
    client_get(told->client, told);
}

/* Unasked bytes lie in the socket when, in the same turn of the loop, another call begins. */
static void test_afterthought_reaches_nobody(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_afterthought, NULL, NULL);
    struct client client;
    struct told first = {0}, second = {0};
    client_of(&client, peer);
    client_get(&client, &first);
    client_finish(&client, &first);
    expect_answer(&first, 200, "00");
    assert_int_equal(client_connections(&client), 1);
    peer->signal = 1;
    while (peer->signal != 2)
        usleep(200);

    second.client = &client;
    struct event *start = event_new(client.base, -1, 0, on_start_second, &second);
    event_active(start, EV_READ, 0);
    client_finish(&client, &second);
    expect_answer(&second, 200, "01");
    assert_int_equal(peer->connections, 2);
    event_free(start);
    told_free(&first);
    told_free(&second);
    client_end(&client);
    peer_stop(peer);
}

static void test_idle_connection_that_speaks_is_closed(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_afterthought, NULL, NULL);
    struct client client;
    struct told told = {0};
    client_of(&client, peer);
    client_get(&client, &told);
    client_finish(&client, &told);
    assert_int_equal(client_connections(&client), 1);
    peer->signal = 1;
    CLIENT_UNTIL(&client, client_connections(&client) == 0);
    told_free(&told);
    client_end(&client);
    peer_stop(peer);
}

/* An answer that says close, or ends with the connection, ends the connection. */
static void test_close_is_heeded(void **state)
{
    (void)state;
    static const char *const answers[] = {
        OK "Connection: close\r\nContent-Length: 2\r\n\r\nhi",
        OK "Connection: close\r\n\r\nhi",
        "HTTP/1.0 200 OK\r\n\r\nhi",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    };
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct peer *peer = peer_start(serve_once, NULL, (void *)(uintptr_t)answers[i]);
        struct client client;
        client_of(&client, peer);
        for (unsigned time = 1; time <= 2; time++) {
            struct told told = {0};
            client_delete(&client, &told);
            client_finish(&client, &told);
            expect_answer(&told, 200, "hi");
            assert_int_equal(client_connections(&client), 0);
            assert_int_equal(peer->connections, time);
            told_free(&told);
        }
        client_end(&client);
        peer_stop(peer);
    }
}

/* ---- the pool ---- */

/* Answers when `signal` lets it: a bit for each connection; -1 for all. */
static void serve_held(struct stream *stream)
{
    char answer[64];
    while (stream_read_request(stream)) {
        while (!(stream->peer->signal & (1 << stream->nth)))
            usleep(200);
        snprintf(answer, sizeof(answer), OK "Content-Length: 2\r\n\r\n%02u", stream->nth);
        stream_say(stream, answer);
    }
}

struct order {
    struct told told;
    unsigned *turn, place;
};

static void on_over_note_place(struct told *told)
{
    struct order *order = told->data;
    order->place = ++*order->turn;
}

static void test_queue_is_bounded_and_fair(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_held, NULL, NULL);
    struct client client;
    struct order orders[7] = {0};
    unsigned turn = 0;
    client_prepare(&client, "127.0.0.1", peer->port, false);
    client.config.upstream.connections = 2;
    client.config.upstream.queue = 3;
    client_begin(&client);
    for (size_t i = 0; i < 7; i++) {
        orders[i].turn = &turn;
        orders[i].told.data = &orders[i];
        orders[i].told.on_over = on_over_note_place;
        client_get(&client, &orders[i].told);
    }
    CLIENT_UNTIL(&client, peer->requests == 2);
    for (size_t i = 5; i < 7; i++) /* those that came last */
        expect_failure(&orders[i].told, UPSTREAM_OVERLOADED, false, "upstream.queue");
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(orders[i].told.fails + orders[i].told.ends, 0);
    assert_int_equal(client.upstream->waiting_count, 3);

    peer->signal = 1; /* one connection goes on: it serves the first, and those that wait in their order */
    CLIENT_UNTIL(&client, orders[0].told.ends + orders[1].told.ends == 1 && orders[4].told.ends);
    assert_true(orders[2].place < orders[3].place && orders[3].place < orders[4].place);
    peer->signal = -1;
    CLIENT_UNTIL(&client, orders[0].told.ends && orders[1].told.ends);
    assert_int_equal(peer->connections, 2);
    for (size_t i = 0; i < 7; i++)
        told_free(&orders[i].told);
    client_end(&client);
    peer_stop(peer);
}

static void test_newest_idle_connection_first(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_held, NULL, NULL);
    struct client client;
    struct told a = {0}, b = {0}, c = {0};
    client_of(&client, peer);
    client_get(&client, &a);
    CLIENT_UNTIL(&client, peer->requests == 1);
    client_get(&client, &b);
    CLIENT_UNTIL(&client, peer->requests == 2);
    peer->signal = 1;
    client_finish(&client, &a);
    peer->signal = 3;
    client_finish(&client, &b); /* idle last, so first in hand */
    client_get(&client, &c);
    client_finish(&client, &c);
    expect_answer(&a, 200, "00");
    expect_answer(&b, 200, "01");
    expect_answer(&c, 200, "01");
    assert_int_equal(peer->connections, 2);
    told_free(&a);
    told_free(&b);
    told_free(&c);
    client_end(&client);
    peer_stop(peer);
}

static void on_over_start_next(struct told *told)
{
    unsigned *left = told->data;
    assert_int_equal(told->ends, 1);
    if (*left == 0)
        return;
    --*left;
    struct client *client = told->client;
    told_free(told);
    *told = (struct told){.on_over = on_over_start_next, .data = left};
    client_get(client, told);
}

/* The next call may begin in the callback of the last. */
static void test_starting_from_a_callback(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_text, NULL, (void *)(uintptr_t)HI);
    struct client client;
    unsigned left = 100;
    struct told told = {.on_over = on_over_start_next, .data = &left};
    client_of(&client, peer);
    client_get(&client, &told);
    CLIENT_UNTIL(&client, peer->requests == 101 && client.upstream->waiting_count == 0 &&
                              TAILQ_EMPTY(&client.upstream->active));
    assert_int_equal(left, 0);
    assert_int_equal(peer->connections, 1);
    told_free(&told);
    client_end(&client);
    peer_stop(peer);
}

/* ---- large bodies both ways ---- */

#define LARGE (20 * 1024 * 1024)

static char pattern_at(size_t offset)
{
    return (char)(offset * 2654435761u >> 24);
}

static void serve_large(struct stream *stream)
{
    static char block[65536];
    size_t sent = 0;
    if (!stream_read_request(stream))
        return;
    stream_say(stream, OK "Content-Length: 20971520\r\n\r\n");
    while (sent < LARGE) {
        for (size_t i = 0; i < sizeof(block); i++)
            block[i] = pattern_at(sent + i);
        if (!stream_send(stream, block, sizeof(block)))
            return;
        sent += sizeof(block);
        stream->peer->signal = (int)sent;
    }
    stream_await_close(stream);
}

static void on_body_check(struct told *told)
{
    size_t piece = told->body.length, first = told->bytes - piece;
    for (size_t i = 0; i < piece; i += 61)
        assert_int_equal(told->body.data[i], pattern_at(first + i));
    text_clear(&told->body);
}

static void test_pause_and_resume(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_large, NULL, NULL);
    struct client client;
    struct told told = {.on_body = on_body_check};
    client_prepare(&client, "127.0.0.1", peer->port, false);
    client.config.upstream.total_timeout_ms = 4000;
    client_begin(&client);
    client_get(&client, &told);
    CLIENT_UNTIL(&client, told.bytes > 100000);
    upstream_pause(told.call);
    size_t at_pause = told.bytes;
    struct upstream_call *call = told.call;
    call->total_due = clock_monotonic_us() + 60000; /* would be over while it is paused */
    upstream_due(client.upstream, call->total_due, clock_monotonic_us());
    int64_t until = clock_monotonic_us() + 120000;
    while (clock_monotonic_us() < until)
        client_turn(&client);
    assert_int_equal(told.bytes, at_pause); /* nothing was in hand */
    assert_int_equal(told.fails, 0);
    assert_true(peer->signal < LARGE); /* the upstream is held back by the kernel's buffers, not by ours */
    upstream_resume(call);
    assert_true(call->total_due > clock_monotonic_us()); /* what was left is left still */
    call->total_due += 4000000;
    client_finish(&client, &told);
    assert_int_equal(told.ends, 1);
    assert_int_equal(told.bytes, LARGE);
    told_free(&told);
    client_end(&client);
    peer_stop(peer);
}

static void on_body_pause(struct told *told)
{
    if (told->call)
        upstream_pause(told->call);
}

/* Paused in the callback of each piece: what is in hand, the rest of what was read at once, is all that still
 * comes. */
static void test_pause_in_callback(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_large, NULL, NULL);
    struct client client;
    struct told told = {.on_body = on_body_pause, .count_only = true};
    client_of(&client, peer);
    client_get(&client, &told);
    while (told.ends == 0) {
        size_t before = told.bytes;
        CLIENT_UNTIL(&client, told.bytes > before || told.ends);
        client_turn(&client);
        assert_true(told.on_body == NULL || told.bytes - before <= SCRATCH_BYTES);
        if (told.call)
            upstream_resume(told.call);
        if (told.bytes > LARGE / 4)
            told.on_body = NULL;
        assert_int_equal(told.fails, 0);
    }
    assert_int_equal(told.bytes, LARGE);
    client_end(&client);
    peer_stop(peer);
}

/* Counts what comes. */
static void serve_sink(struct stream *stream)
{
    char bytes[65536];
    size_t got = 0;
    ssize_t step;
    while (got < 4 * 1024 * 1024 && (step = stream_receive(stream, bytes, sizeof(bytes))) > 0) {
        got += (size_t)step;
        if (got < 1024 * 1024)
            usleep(100); /* lets the socket fill */
    }
    stream_say(stream, HI);
    stream_await_close(stream);
}

static void test_large_request(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_sink, NULL, NULL);
    struct client client;
    struct told told = {0};
    size_t length = 4 * 1024 * 1024 + 1000;
    char *body = calloc(1, length);
    client_of(&client, peer);
    client_start(&client, &told, "PATCH", "/t", (struct span){body, length});
    free(body); /* it was copied */
    client_finish(&client, &told);
    expect_answer(&told, 200, "hi");
    told_free(&told);
    client_end(&client);
    peer_stop(peer);
}

/* Answers before it has read the content; `signal` 1: and resets. */
static void serve_early(struct stream *stream)
{
    char bytes[1000];
    stream_receive(stream, bytes, sizeof(bytes));
    stream_say(stream, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
    while (stream->peer->signal == 0)
        usleep(500); /* reads no more */
}

static void test_early_answer(void **state)
{
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        struct peer *peer = peer_start(serve_early, NULL, NULL);
        struct client client;
        struct told told = {0};
        size_t length = 8 * 1024 * 1024;
        char *body = calloc(1, length);
        peer->signal = reset;
        client_of(&client, peer);
        client_start(&client, &told, "POST", "/t", (struct span){body, length});
        free(body);
        client_finish(&client, &told);
        expect_answer(&told, 413, "no");
        assert_int_equal(client_connections(&client), 0); /* half a request lies in it */
        peer->signal = 1;
        told_free(&told);
        client_end(&client);
        peer_stop(peer);
    }
}

/* ---- cancel ---- */

static void on_told_cancel(struct told *told)
{
    upstream_cancel(told->call);
    told->call = NULL;
}

static void on_over_cancel(struct told *told)
{
    upstream_cancel(told->call); /* without effect */
}

static void expect_silence(struct client *client, const struct told *told)
{
    int heads = told->heads;
    size_t bytes = told->bytes;
    for (int i = 0; i < 3; i++)
        client_turn(client);
    assert_int_equal(told->heads, heads);
    assert_int_equal(told->bytes, bytes);
    assert_int_equal(told->ends + told->fails, 0);
    assert_int_equal(client_connections(client), 0);
    assert_true(TAILQ_EMPTY(&client->upstream->active) && TAILQ_EMPTY(&client->upstream->waiting));
    assert_true(TAILQ_EMPTY(&client->upstream->over) && TAILQ_EMPTY(&client->upstream->closed));
}

static void test_cancel_before_anything(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_text, NULL, (void *)(uintptr_t)HI);
    struct client client;
    struct told told = {0};
    client_of(&client, peer);
    client_get(&client, &told);
    upstream_cancel(told.call);
    upstream_cancel(told.call);
    expect_silence(&client, &told);
    assert_int_equal(peer->connections, 0);
    client_end(&client);
    peer_stop(peer);
}

static void test_cancel_while_connecting(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_text, NULL, (void *)(uintptr_t)HI);
    struct client client;
    struct told told = {0};
    client_of(&client, peer);
    client_get(&client, &told);
    pool_pump(client.upstream);
    assert_int_equal(told.call->stage, CALL_CONNECTING);
    upstream_cancel(told.call);
    expect_silence(&client, &told);
    client_end(&client);
    peer_stop(peer);
}

static void test_cancel_while_writing(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_deaf, NULL, NULL);
    struct client client;
    struct told told = {0};
    size_t length = 16 * 1024 * 1024;
    char *body = calloc(1, length);
    client_of(&client, peer);
    client_start(&client, &told, "POST", "/t", (struct span){body, length});
    free(body);
    CLIENT_UNTIL(&client, told.call->written > 0);
    assert_true(told.call->written < length);
    upstream_cancel(told.call);
    peer->signal = 1;
    expect_silence(&client, &told);
    client_end(&client);
    peer_stop(peer);
}

static void test_cancel_while_waiting_for_the_answer(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_silence, NULL, NULL);
    struct client client;
    struct told told = {0};
    client_of(&client, peer);
    client_get(&client, &told);
    CLIENT_UNTIL(&client, peer->requests == 1);
    upstream_cancel(told.call);
    expect_silence(&client, &told);
    CLIENT_UNTIL(&client, peer->closed == 1);
    client_end(&client);
    peer_stop(peer);
}

static void test_cancel_while_queued(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_silence, NULL, NULL);
    struct client client;
    struct told first = {0}, second = {0};
    client_prepare(&client, "127.0.0.1", peer->port, false);
    client.config.upstream.connections = 1;
    client_begin(&client);
    client_get(&client, &first);
    client_get(&client, &second);
    CLIENT_UNTIL(&client, peer->requests == 1);
    assert_int_equal(client.upstream->waiting_count, 1);
    upstream_cancel(second.call);
    assert_int_equal(client.upstream->waiting_count, 0);
    upstream_cancel(first.call);
    expect_silence(&client, &first);
    assert_int_equal(second.ends + second.fails, 0);
    assert_int_equal(peer->connections, 1);
    client_end(&client);
    peer_stop(peer);
}

static void test_cancel_in_callbacks(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_large, NULL, NULL);
    struct client client;
    struct told in_head = {.on_head = on_told_cancel},
                in_body = {.on_body = on_told_cancel, .count_only = true};
    client_of(&client, peer);
    client_get(&client, &in_head);
    CLIENT_UNTIL(&client, in_head.heads == 1);
    expect_silence(&client, &in_head);
    assert_int_equal(in_head.bytes, 0);

    client_get(&client, &in_body);
    CLIENT_UNTIL(&client, in_body.bytes > 0);
    expect_silence(&client, &in_body);
    told_free(&in_head);
    client_end(&client);
    peer_stop(peer);
}

static void test_cancel_at_the_end(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_once, NULL, (void *)(uintptr_t)HI);
    struct client client;
    struct told good = {.on_over = on_over_cancel}, bad = {.on_over = on_over_cancel};
    client_of(&client, peer);
    client_get(&client, &good);
    client_finish(&client, &good);
    expect_answer(&good, 200, "hi");
    peer->data = (void *)(uintptr_t) "nonsense that is no answer";
    client_get(&client, &bad);
    client_finish(&client, &bad);
    expect_failure(&bad, UPSTREAM_CLOSED, true, "");
    told_free(&good);
    client_end(&client);
    peer_stop(peer);
}

static void test_cancel_while_paused(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_large, NULL, NULL);
    struct client client;
    struct told told = {.count_only = true};
    client_of(&client, peer);
    client_get(&client, &told);
    CLIENT_UNTIL(&client, told.bytes > 0);
    upstream_pause(told.call);
    upstream_cancel(told.call);
    upstream_resume(told.call); /* over already: nothing happens */
    expect_silence(&client, &told);
    told_free(&told);
    client_end(&client);
    peer_stop(peer);
}

/* ---- secrets ---- */

static bool holds_secret(const struct upstream_call *call)
{
    return memmem(call->request, call->length, "hush-hush", 9) != NULL;
}

static void test_request_is_wiped(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_held, NULL, NULL);
    struct client client;
    struct told told = {0}, again = {0};
    client_of(&client, peer);
    client_delete(&client, &told);
    assert_true(holds_secret(told.call));
    CLIENT_UNTIL(&client, peer->requests == 1);
    assert_false(holds_secret(told.call)); /* written, and never sent again */
    peer->signal = -1;
    client_finish(&client, &told);

    client_get(&client, &again);
    struct upstream_call *call = again.call;
    upstream_cancel(call);
    assert_false(holds_secret(call)); /* still there until the loop turns */
    told_free(&told);
    client_end(&client);
    peer_stop(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exchanges),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_out_of_descriptors),
        cmocka_unit_test(test_header_too_large),
        cmocka_unit_test(test_unsafe_requests),
        cmocka_unit_test(test_first_byte_timeout),
        cmocka_unit_test(test_total_timeout),
        cmocka_unit_test(test_the_owners_deadline),
        cmocka_unit_test(test_connect_timeout),
        cmocka_unit_test(test_timeout_while_waiting),
        cmocka_unit_test(test_idle_timeout),
        cmocka_unit_test(test_sending_again),
        cmocka_unit_test(test_mutation_finds_connection_closed),
        cmocka_unit_test(test_surplus_closes),
        cmocka_unit_test(test_afterthought_reaches_nobody),
        cmocka_unit_test(test_idle_connection_that_speaks_is_closed),
        cmocka_unit_test(test_close_is_heeded),
        cmocka_unit_test(test_queue_is_bounded_and_fair),
        cmocka_unit_test(test_newest_idle_connection_first),
        cmocka_unit_test(test_starting_from_a_callback),
        cmocka_unit_test(test_pause_and_resume),
        cmocka_unit_test(test_pause_in_callback),
        cmocka_unit_test(test_large_request),
        cmocka_unit_test(test_early_answer),
        cmocka_unit_test(test_cancel_before_anything),
        cmocka_unit_test(test_cancel_while_connecting),
        cmocka_unit_test(test_cancel_while_writing),
        cmocka_unit_test(test_cancel_while_waiting_for_the_answer),
        cmocka_unit_test(test_cancel_while_queued),
        cmocka_unit_test(test_cancel_in_callbacks),
        cmocka_unit_test(test_cancel_at_the_end),
        cmocka_unit_test(test_cancel_while_paused),
        cmocka_unit_test(test_request_is_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
