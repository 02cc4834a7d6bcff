#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proxy/upstream/tunnel.h"

#include <sys/socket.h>
#include <unistd.h>

static char host[] = "api.example", six[] = "2001:db8::1", variable[] = "TUNNEL_TEST";

static void configure(struct config *config, char *upstream, bool credentials)
{
    *config = (struct config){0};
    config->upstream.host = upstream;
    config->upstream.port = 443;
    if (credentials)
        config->upstream.proxy_credentials.env = variable;
}

/* A tunnel under way, between a transport and the other end of its socket. */
struct
try {
    struct tunnel_way *way;
    struct tunnel tunnel;
    struct answer *answer;
    struct transport transport;
    int proxy;
    char fault[128];
};

static void begin(struct try *try, const struct config *config)
{
    int ends[2];
    *try = (struct try){0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    try->way = tunnel_way_new(config, try->fault, sizeof(try->fault));
    assert_non_null(try->way);
    try->answer = answer_new(1024);
    try->transport.fd = ends[0];
    try->proxy = ends[1];
    assert_true(tunnel_begin(&try->tunnel, try->way, try->answer));
}

static enum tunnel_result step(struct try *try)
{
    return tunnel_step(&try->tunnel, &try->transport, try->answer, try->fault, sizeof(try->fault));
}

static void end(struct try *try)
{
    tunnel_end(&try->tunnel);
    answer_free(try->answer);
    transport_close(&try->transport, false);
    if (try->proxy >= 0)
        close(try->proxy);
    tunnel_way_free(try->way);
}

static void expect_request(struct try *try, const char *expected)
{
    char got[8192] = "";
    assert_int_equal(step(try), TUNNEL_WANTS_READ);
    ssize_t length = recv(try->proxy, got, sizeof(got) - 1, 0);
    assert_true(length > 0);
    assert_string_equal(got, expected);
    assert_null(try->tunnel.request); /* wiped as soon as it was written */
}

static void asks_for_host_and_port(void **state)
{
    struct config config;
    struct try try;
    (void)state;
    configure(&config, host, false);
    begin(&try, &config);
    expect_request(&try, "CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n");
    end(&try);
    configure(&config, six, false);
    config.upstream.port = 8443;
    begin(&try, &config);
    expect_request(&try, "CONNECT [2001:db8::1]:8443 HTTP/1.1\r\nHost: [2001:db8::1]:8443\r\n\r\n");
    end(&try);
}

/* The example of RFC 7617, and what comes of a reload. */
static void presents_credentials(void **state)
{
    struct config config;
    struct try try;
    char fault[128] = "";
    (void)state;
    configure(&config, host, true);
    setenv(variable, "Aladdin:opensesame\n", 1);
    begin(&try, &config);
    expect_request(&try, "CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n"
                         "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuc2VzYW1l\r\n\r\n");
    setenv(variable, "none", 1);
    assert_false(tunnel_way_reload(try.way, fault, sizeof(fault)));
    assert_string_equal(fault, "upstream.proxy_credentials: variable TUNNEL_TEST: must be user:password");
    setenv(variable, "a:b", 1);
    assert_true(tunnel_way_reload(try.way, fault, sizeof(fault)));
    assert_true(tunnel_begin(&try.tunnel, try.way, try.answer));
    expect_request(&try, "CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n"
                         "Proxy-Authorization: Basic YTpi\r\n\r\n");
    end(&try);
}

static void refuses_wrong_credentials(void **state)
{
    static const struct {
        const char *value, *fault;
    } rows[] = {
        {NULL, "upstream.proxy_credentials: variable TUNNEL_TEST: is not set"},
        {"", "upstream.proxy_credentials: variable TUNNEL_TEST: is empty"},
        {"user", "upstream.proxy_credentials: variable TUNNEL_TEST: must be user:password"},
        {":password", "upstream.proxy_credentials: variable TUNNEL_TEST: must be user:password"},
        {"a:b\r\nX: y", "upstream.proxy_credentials: variable TUNNEL_TEST: must be one line of visible ASCII "
                        "characters without spaces"},
    };
    struct config config;
    char fault[256];
    (void)state;
    configure(&config, host, true);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsetenv(variable);
        if (rows[i].value != NULL)
            setenv(variable, rows[i].value, 1);
        assert_null(tunnel_way_new(&config, fault, sizeof(fault)));
        assert_string_equal(fault, rows[i].fault);
    }
    static char absent[] = "/nonexistent/proxy";
    config.upstream.proxy_credentials = (struct config_secret){.file = absent};
    assert_null(tunnel_way_new(&config, fault, sizeof(fault)));
    assert_string_equal(fault,
                        "upstream.proxy_credentials: file /nonexistent/proxy: No such file or directory");
}

struct answer_row {
    const char *answer;
    enum tunnel_result result;
    const char *fault;
};

#define OK "HTTP/1.1 200 Connection established\r\n"

static const struct answer_row answers[] = {
    {OK "\r\n", TUNNEL_OPEN, ""},
    {"HTTP/1.0 200 OK\r\nProxy-Agent: x\r\n\r\n", TUNNEL_OPEN, ""},
    {"HTTP/1.1 204 No Content\r\n\r\n", TUNNEL_OPEN, ""},
    /* RFC 9110 §9.3.6: these mean nothing here. */
    {OK "Content-Length: 0\r\n\r\n", TUNNEL_OPEN, ""},
    {OK "Content-Length: 5\r\n\r\n", TUNNEL_OPEN, ""},
    {OK "Transfer-Encoding: chunked\r\n\r\n", TUNNEL_OPEN, ""},
    {OK "\r\nx", TUNNEL_REFUSED, "it sent bytes behind its answer"},
    {OK "\r\n\x16\x03\x01", TUNNEL_REFUSED, "it sent bytes behind its answer"},
    {"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: "
     "3\r\n\r\nno!",
     TUNNEL_REFUSED, "it answered 407: it wants other credentials (upstream.proxy_credentials)"},
    {"HTTP/1.1 403 Forbidden\r\n\r\n", TUNNEL_REFUSED, "it answered 403"},
    {"HTTP/1.1 302 Found\r\nLocation: http://evil/\r\n\r\n", TUNNEL_REFUSED, "it answered 302"},
    {"HTTP/1.1 503 Busy\r\n\r\n", TUNNEL_REFUSED, "it answered 503"},
    {"HTTP/1.1 100 Continue\r\n\r\n" OK "\r\n", TUNNEL_REFUSED,
     "its answer is not HTTP as it should be: interim-answer"},
    {"HTTP/1.1 200\r\n\r\n", TUNNEL_REFUSED, "its answer is not HTTP as it should be: status-line"},
    {"SSH-2.0-OpenSSH\r\n", TUNNEL_REFUSED, "its answer is not HTTP as it should be: status-line"},
    {"HTTP/1.1 200 OK\n\n", TUNNEL_REFUSED, "its answer is not HTTP as it should be: bare-lf"},
    {OK "X: a\r\n b\r\n\r\n", TUNNEL_REFUSED, "its answer is not HTTP as it should be: folded-field"},
    {OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", TUNNEL_REFUSED,
     "its answer is not HTTP as it should be: two-lengths"},
    {OK "X", TUNNEL_WANTS_READ, ""},
};

/* Whole, and byte by byte. */
static void judges_the_answer(void **state)
{
    struct config config;
    (void)state;
    configure(&config, host, false);
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        const struct answer_row *row = &answers[i];
        for (int bytes = 0; bytes < 2; bytes++) {
            struct try try;
            enum tunnel_result result = TUNNEL_WANTS_READ;
            size_t length = strlen(row->answer), piece = bytes ? 1 : length;
            if (bytes && strstr(row->fault, "behind") != NULL)
                continue; /* the byte behind is TLS's to judge then */
            begin(&try, &config);
            assert_int_equal(step(&try), TUNNEL_WANTS_READ);
            for (size_t at = 0; at < length && result == TUNNEL_WANTS_READ; at += piece) {
                assert_int_equal(send(try.proxy, row->answer + at, piece, 0), piece);
                result = step(&try);
            }
            if (result != row->result)
                print_error("%s: %s\n", row->answer, try.fault);
            assert_int_equal(result, row->result);
            assert_string_equal(try.fault, row->fault);
            end(&try);
        }
    }
}

static void bounds_the_answer(void **state)
{
    struct config config;
    struct try try;
    char line[] = "X: 1234567890\r\n";
    (void)state;
    configure(&config, host, false);
    begin(&try, &config);
    assert_int_equal(step(&try), TUNNEL_WANTS_READ);
    assert_true(send(try.proxy, OK, strlen(OK), 0) > 0);
    enum tunnel_result result = step(&try);
    for (int i = 0; i < 1000 && result == TUNNEL_WANTS_READ; i++) {
        assert_true(send(try.proxy, line, strlen(line), 0) > 0);
        result = step(&try);
    }
    assert_int_equal(result, TUNNEL_REFUSED);
    assert_string_equal(try.fault, "its answer is not HTTP as it should be: header-too-large");
    end(&try);
}

static void notices_the_end(void **state)
{
    struct config config;
    struct try try;
    (void)state;
    configure(&config, host, false);
    begin(&try, &config);
    assert_int_equal(step(&try), TUNNEL_WANTS_READ);
    assert_true(send(try.proxy, "HTTP/1.1 2", 10, 0) > 0);
    assert_int_equal(step(&try), TUNNEL_WANTS_READ);
    shutdown(try.proxy, SHUT_WR);
    assert_int_equal(step(&try), TUNNEL_BROKEN);
    assert_string_equal(try.fault, "closed before its answer");
    end(&try);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_for_host_and_port),    cmocka_unit_test(presents_credentials),
        cmocka_unit_test(refuses_wrong_credentials), cmocka_unit_test(judges_the_answer),
        cmocka_unit_test(bounds_the_answer),         cmocka_unit_test(notices_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
