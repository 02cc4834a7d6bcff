#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proxy/worker/incoming.h"
#include "proxy/worker/worker.h"

#include <event2/buffer.h>

static const struct config config = {
    .limits = {.header_bytes = 16384, .header_fields = 100, .target_bytes = 8192, .body_bytes = 1048576}};
static struct service service = {.config = &config};

static struct worker *make_worker(void)
{
    struct worker *worker = calloc(1, sizeof *worker);

    assert_non_null(worker);
    worker->service = &service;
    SLIST_INIT(&worker->idle_incoming);
    return worker;
}

static void receive(struct incoming *incoming, const char *header)
{
    struct span rest = span_of(header), data;
    size_t read = wire_read(&incoming->wire, rest, &data);

    assert_true(wire_header_complete(&incoming->wire));
    text_add(&incoming->header, rest.data, read);
}

/* Request line and framing as they came, and nothing else. */
static void evhttp_is_shown_what_it_parses(void **state)
{
    static const struct {
        const char *received, *shown;
    } cases[] = {
        {"GET /a?b=c HTTP/1.1\r\nHost: h\r\nAuthorization: token secret\r\n\r\n",
         "GET /a?b=c HTTP/1.1\r\n\r\n"},
        {"GET http://h/ HTTP/1.0\r\nConnection: close\r\n\r\n", "GET http://h/ HTTP/1.0\r\n\r\n"},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", "POST / HTTP/1.1\r\n\r\n"},
        {"PATCH /x HTTP/1.1\r\nHost: h\r\nContent-Type: a/b\r\ncontent-LENGTH:  7 \r\nExpect: "
         "100-continue\r\n\r\n",
         "PATCH /x HTTP/1.1\r\ncontent-LENGTH:  7 \r\n\r\n"},
        {"POST / HTTP/1.1\r\nTransfer-encoding:\tchunked\r\nHost: h\r\nX-Content-Length: 3\r\n\r\n",
         "POST / HTTP/1.1\r\nTransfer-encoding:\tchunked\r\n\r\n"},
    };
    struct worker *worker = make_worker();
    struct evbuffer *shown = evbuffer_new();
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct incoming *incoming = incoming_take(worker);
        assert_non_null(incoming);
        receive(incoming, cases[i].received);
        assert_true(incoming_show(incoming, shown));
        size_t length = evbuffer_get_length(shown);
        assert_int_equal(length, strlen(cases[i].shown));
        assert_memory_equal(evbuffer_pullup(shown, -1), cases[i].shown, length);
        assert_int_equal(evbuffer_drain(shown, length), 0);
        incoming_give_back(worker, incoming);
    }
    evbuffer_free(shown);
    incoming_free_idle(worker);
    free(worker);
}

static void another_reader_must_have_read_the_same(void **state)
{
    static const struct {
        const char *received, *method, *target;
        size_t content;
        bool same;
    } cases[] = {
        {"GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "/a?b", 0, true},
        {"GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n", "HEAD", "/a?b", 0, false},
        {"GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n", "", "/a?b", 0, false},
        {"GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "/a", 0, false},
        {"GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "/a?b", 1, false},
        {"GET http://h/a HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "/a", 0, false},
        {"PATCH / HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\n", "PATCH", "/", 7, true},
        {"PATCH / HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\n", "PATCH", "/", 0, false},
    };
    struct worker *worker = make_worker();
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct incoming *incoming = incoming_take(worker);
        assert_non_null(incoming);
        receive(incoming, cases[i].received);
        assert_int_equal(incoming_is(incoming, cases[i].method, cases[i].target, cases[i].content),
                         cases[i].same);
        incoming_give_back(worker, incoming);
    }
    incoming_free_idle(worker);
    free(worker);
}

/* The next request finds nothing of the one before, and a large header is no lasting cost. */
static void given_back_it_is_wiped(void **state)
{
    static const char header[] = "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: token secret\r\n\r\n";
    struct worker *worker = make_worker();
    struct incoming *incoming = incoming_take(worker);
    char zeroes[sizeof header] = "", large[8000];
    (void)state;

    assert_non_null(incoming);
    receive(incoming, header);
    const char *bytes = incoming->header.data;
    incoming_give_back(worker, incoming);
    assert_memory_equal(bytes, zeroes, sizeof header - 1);
    assert_ptr_equal(incoming_take(worker), incoming);
    assert_int_equal(incoming->wire.state, WIRE_IDLE);
    assert_int_equal(incoming->header.length, 0);

    memset(large, 'x', sizeof large);
    text_add(&incoming->header, large, sizeof large);
    incoming_give_back(worker, incoming);
    assert_int_equal(incoming->header.capacity, 0);
    incoming_give_back(worker, NULL);
    incoming_free_idle(worker);
    free(worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evhttp_is_shown_what_it_parses),
        cmocka_unit_test(another_reader_must_have_read_the_same),
        cmocka_unit_test(given_back_it_is_wiped),
    };

    return cmocka_run_group_tests_name("incoming", tests, NULL, NULL);
}
