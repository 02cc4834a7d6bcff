/* Which connection serves whom: one owner's never another's, and no byte that was not asked for. */
#include "tests/unit/proxy/upstream/client.h"

#include <linux/filter.h>

#define OK "HTTP/1.1 200 OK\r\n"

static const struct upstream_owner alice = {{1, 1}}, bob = {{1, 2}}; /* they share a shelf */

/* Answers each request with the number of its connection. */
static void serve_numbers(struct stream *stream)
{
    char answer[64];
    while (stream_read_request(stream)) {
        snprintf(answer, sizeof(answer), OK "Content-Length: 2\r\n\r\n%02u", stream->nth);
        stream_say(stream, answer);
    }
}

/* One request from begin to end; the answer is `content`. */
static void expect(struct client *client, const char *method, struct upstream_owner owner,
                   const char *content)
{
    struct told told = {.owner = owner};
    client_start(client, &told, method, "/rest/x?version=1", (struct span){NULL, 0});
    client_finish(client, &told);
    expect_answer(&told, 200, content);
    told_free(&told);
}

static void test_connections_are_their_owners(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_numbers, NULL, NULL);
    struct client client;
    client_of(&client, peer);
    for (int time = 0; time < 3; time++) {
        expect(&client, "GET", alice, "00");
        expect(&client, "DELETE", bob, "01");
        expect(&client, "DELETE", alice, "00");
        expect(&client, "GET", bob, "01");
    }
    assert_int_equal(client.upstream->idle_count, 2);
    assert_int_equal(client.upstream->busy_count, 0);
    client_end(&client);
    peer_stop(peer);
}

/* Nobody is kept out by what others have idle, and of those only so many are kept: the oldest goes. */
static void test_idle_connections_are_bounded(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_numbers, NULL, NULL);
    struct client client;
    client_prepare(&client, "127.0.0.1", peer->port, false);
    client.config.upstream.connections = 1;
    client.config.upstream.idle_connections = 2;
    client_begin(&client);
    expect(&client, "GET", alice, "00");
    expect(&client, "GET", bob, "01");
    expect(&client, "GET", alice, "00"); /* so bob's is the oldest */
    expect(&client, "GET", (struct upstream_owner){{9, 9}}, "02");
    assert_int_equal(client.upstream->idle_count, 2);
    expect(&client, "GET", alice, "00");
    expect(&client, "GET", bob, "03");
    client_end(&client);
    peer_stop(peer);
}

/* A connection that is kept is of no use when its address has been ejected, or is no longer the upstream's;
 * unless there is no better one. */
static void test_kept_connections_of_bad_addresses(void **state)
{
    static char first[] = "127.0.0.1", second[] = "127.0.0.2"; /* nobody listens there */
    char *both[] = {first, second, NULL}, *one[] = {first, NULL};
    (void)state;
    for (int row = 0; row < 4; row++) {
        struct peer *peer = peer_start(serve_numbers, NULL, NULL);
        struct client client;
        client_prepare(&client, "127.0.0.1", peer->port, false);
        client.config.upstream.addresses = row < 3 ? both : one;
        client_begin(&client);
        expect(&client, "GET", alice, "00");
        struct address *address = TAILQ_FIRST(&client.upstream->idle)->address;
        address->ejected_until = row == 0 || row == 3 ? INT64_MAX : 0;
        address->listed = row != 1;
        expect(&client, "DELETE", alice, row < 2 ? "01" : "00");
        assert_int_equal(address->outstanding, 0);
        client_end(&client);
        peer_stop(peer);
    }
}

/* The first connection answers once; whatever else is asked finds it closed. */
static void serve_one_answer(struct stream *stream)
{
    if (stream_read_request(stream) && stream->nth == 0 &&
        stream_say(stream, OK "Content-Length: 2\r\n\r\n00"))
        stream_read_request(stream);
}

/* What ends a request is held against its address, but not that a kept connection was closed meanwhile. */
static void test_who_is_to_blame(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_one_answer, NULL, NULL);
    struct client client;
    client_of(&client, peer);
    const struct address *address = client.upstream->addresses->list[0];
    expect(&client, "GET", alice, "00");
    for (unsigned failures = 0; failures < 3; failures++) { /* first over the kept connection, then anew */
        struct told told = {.owner = alice};
        client_delete(&client, &told);
        client_finish(&client, &told);
        expect_failure(&told, UPSTREAM_CLOSED, true, "");
        assert_int_equal(address->failures, failures);
        told_free(&told);
    }
    client_end(&client);
    peer_stop(peer);
}

static void serve_text(struct stream *stream)
{
    while (stream_read_request(stream) && stream_say(stream, stream->peer->data))
        ;
}

/* What lies behind an answer's end, a body where none may be among it, makes the answer invalid. */
static void test_surplus(void **state)
{
    static const struct {
        const char *method, *answer;
        int heads; /* handed up before it was seen */
    } rows[] = {
        {"GET", OK "Content-Length: 2\r\n\r\nhi!", 1},
        {"GET", OK "Content-Length: 0\r\n\r\n\r\n", 0},
        {"GET", OK "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n0\r\n\r\n", 1},
        {"HEAD", OK "Content-Length: 2\r\n\r\nhi", 0},
        {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nhi", 0},
        {"DELETE", "HTTP/1.1 204 No Content\r\n\r\nhi", 0},
        {"DELETE", OK "Content-Length: 2\r\n\r\nhiHTTP/1.1 204 No Content\r\n\r\n", 1},
        {"DELETE", OK "Connection: close\r\nContent-Length: 2\r\n\r\nhi!", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct peer *peer = peer_start(serve_text, NULL, (void *)(uintptr_t)rows[i].answer);
        struct client client;
        struct told told = {.owner = alice};
        client_of(&client, peer);
        client_start(&client, &told, rows[i].method, "/t", (struct span){NULL, 0});
        client_finish(&client, &told);
        expect_failure(&told, UPSTREAM_INVALID, true, "surplus");
        assert_int_equal(told.heads, rows[i].heads);
        assert_int_equal(client_connections(&client), 0);
        told_free(&told);
        client_end(&client);
        peer_stop(peer);
    }
}

/* From now on the kernel throws away what comes in, as if it were still on its way; then no more. */
static void stream_deafen(struct stream *stream, bool deaf)
{
    struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    const struct sock_fprog program = {1, nothing};
    const int off = 0;
    if (deaf)
        assert_int_equal(setsockopt(stream->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)), 0);
    else
        assert_int_equal(setsockopt(stream->fd, SOL_SOCKET, SO_DETACH_FILTER, &off, sizeof(off)), 0);
}

/* Says more than it was asked just when the next request is on its way: the kernel here has not had one byte
 * of that. */
static void serve_in_flight(struct stream *stream)
{
    if (stream->nth > 0) {
        serve_numbers(stream);
        return;
    }
    stream_read_request(stream);
    stream_say(stream, OK "Content-Length: 2\r\n\r\n00");
    stream_deafen(stream, true);
    stream->peer->signal = 1;
    while (stream->peer->signal == 1)
        usleep(200);
    stream_say(stream, OK "Content-Length: 4\r\n\r\nevil");
    stream_await_close(stream);
}

static void expect_unsolicited(const char *method, bool far)
{
    struct peer *peer = peer_start(serve_in_flight, NULL, NULL);
    struct client client;
    struct told told = {.owner = alice};
    client_of(&client, peer);
    expect(&client, "GET", alice, "00");
    while (peer->signal != 1)
        usleep(200);
    TAILQ_FIRST(&client.upstream->idle)->far = far;
    client_start(&client, &told, method, "/rest/x?version=1", (struct span){NULL, 0});
    CLIENT_UNTIL(&client, told.call->stage == CALL_RUNNING);
    assert_int_equal(told.call->connection->served, true);
    assert_int_equal(told.call->written, told.call->length);
    peer->signal = 2;
    client_finish(&client, &told);
    expect_failure(&told, UPSTREAM_INVALID, true, "unsolicited");
    assert_int_equal(told.heads, 0);
    expect(&client, "DELETE", alice, "01");
    told_free(&told);
    client_end(&client);
    peer_stop(peer);
}

static void test_bytes_in_flight_are_no_answer(void **state)
{
    (void)state;
    expect_unsolicited("DELETE", false);
    expect_unsolicited("DELETE", true);
    expect_unsolicited("GET", true);
}

/* An answer that does come at once is one, on a used connection too. */
static void test_a_quick_answer_is_taken(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_numbers, NULL, NULL);
    struct client client;
    client_of(&client, peer);
    for (int time = 0; time < 50; time++) {
        expect(&client, "DELETE", alice, "00");
        TAILQ_FIRST(&client.upstream->idle)->far = true;
        expect(&client, "GET", alice, "00");
    }
    assert_int_equal(peer->connections, 1);
    client_end(&client);
    peer_stop(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections_are_their_owners),
        cmocka_unit_test(test_idle_connections_are_bounded),
        cmocka_unit_test(test_kept_connections_of_bad_addresses),
        cmocka_unit_test(test_who_is_to_blame),
        cmocka_unit_test(test_surplus),
        cmocka_unit_test(test_bytes_in_flight_are_no_answer),
        cmocka_unit_test(test_a_quick_answer_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
