/* TLS towards the upstream: who is trusted, who is not and why, and that sessions are resumed. The
 * certificates are made here. */
#include "tests/unit/proxy/upstream/client.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>

#define OK "HTTP/1.1 200 OK\r\n"
#define HI OK "Content-Length: 2\r\n\r\nhi"

/* ---- certificates ---- */

struct authority {
    EVP_PKEY *key;
    X509 *certificate;
};

static void add_extension(X509 *certificate, X509 *issuer, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    assert_non_null(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

/* A certificate for `key`, valid for an hour from `from` seconds ahead of now; issuer NULL: it signs itself.
 */
static X509 *make_certificate(EVP_PKEY *key, const char *name, const char *alternative, long from,
                              const struct authority *issuer)
{
    static long serial = 1;
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_get_subject_name(certificate);
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), from);
    X509_gmtime_adj(X509_getm_notAfter(certificate), from + 3600);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer->certificate) : subject);
    X509_set_pubkey(certificate, key);
    if (alternative != NULL)
        add_extension(certificate, issuer ? issuer->certificate : certificate, NID_subject_alt_name,
                      alternative);
    else
        add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
    assert_true(X509_sign(certificate, issuer ? issuer->key : key, EVP_sha256()) > 0);
    return certificate;
}

static struct authority make_authority(const char *name)
{
    struct authority authority = {EVP_EC_gen("P-256"), NULL};
    assert_non_null(authority.key);
    authority.certificate = make_certificate(authority.key, name, NULL, -60, NULL);
    return authority;
}

static void authority_free(struct authority *authority)
{
    X509_free(authority->certificate);
    EVP_PKEY_free(authority->key);
}

/* A server that shows a certificate for `alternative`. */
static SSL_CTX *make_server(const struct authority *issuer, const char *alternative, long from)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = make_certificate(key, "the upstream", alternative, from, issuer);
    SSL_CTX_use_certificate(context, certificate);
    SSL_CTX_use_PrivateKey(context, key);
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"test", 4);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return context;
}

static char ca_path[] = "/tmp/test-tls-XXXXXX";

static void write_ca(const struct authority *authority)
{
    FILE *file = fopen(ca_path, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, authority->certificate), 1);
    fclose(file);
}

static struct authority ours, foreign;

static int make_authorities(void **state)
{
    (void)state;
    int fd = mkstemp(ca_path);
    if (fd < 0)
        return -1;
    close(fd);
    ours = make_authority("our authority");
    foreign = make_authority("another authority");
    write_ca(&ours);
    return 0;
}

static int free_authorities(void **state)
{
    (void)state;
    authority_free(&ours);
    authority_free(&foreign);
    return unlink(ca_path);
}

/* ---- scripts ---- */

static void serve_hi(struct stream *stream)
{
    while (stream_read_request(stream))
        stream_say(stream, HI);
    if (SSL_get_shutdown(stream->ssl) & SSL_RECEIVED_SHUTDOWN)
        stream->peer->closed_politely++;
    stream->peer->closed++;
}

/* One answer with `data`, then the connection is cut without close_notify. */
static void serve_and_cut(struct stream *stream)
{
    if (stream_read_request(stream))
        stream_say(stream, stream->peer->data);
}

static void serve_and_close(struct stream *stream)
{
    serve_and_cut(stream);
    SSL_shutdown(stream->ssl);
}

static void begin(struct client *client, const char *host, const struct peer *peer)
{
    client_prepare(client, host, peer->port, true);
    client->config.upstream.ca_file = ca_path;
    client_begin(client);
}

static void get_hi(struct client *client)
{
    struct told told = {0};
    client_get(client, &told);
    client_finish(client, &told);
    expect_answer(&told, 200, "hi");
    told_free(&told);
}

/* ---- tests ---- */

struct trust_row {
    const char *host, *alternative;
    long from; /* validity */
    bool unknown_authority, self_signed;
    const char *word; /* NULL: trusted */
};

static const struct trust_row trusts[] = {
    {"localhost", "DNS:localhost", -60, false, false, NULL},
    {"localhost", "DNS:other,DNS:LOCALHOST", -60, false, false, NULL},
    {"127.0.0.1", "IP:127.0.0.1", -60, false, false, NULL},
    {"localhost", "DNS:other.example", -60, false, false, "localhost: hostname mismatch"},
    {"localhost", "IP:127.0.0.1", -60, false, false, "localhost: hostname mismatch"},
    {"localhost", "DNS:localhost.example,DNS:*.localhost", -60, false, false, "hostname mismatch"},
    {"127.0.0.1", "DNS:127.0.0.1", -60, false, false, "127.0.0.1: IP address mismatch"},
    {"127.0.0.1", "IP:127.0.0.2,DNS:localhost", -60, false, false, "IP address mismatch"},
    {"localhost", "DNS:localhost", -7200, false, false, "localhost: certificate has expired"},
    {"localhost", "DNS:localhost", 1800, false, false, "localhost: certificate is not yet valid"},
    {"localhost", "DNS:localhost", -60, true, false, "localhost: unable to get local issuer certificate"},
    {"localhost", "DNS:localhost", -60, false, true, "localhost: self-signed certificate"},
};

static void test_trust(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(trusts) / sizeof(trusts[0]); i++) {
        const struct trust_row *row = &trusts[i];
        const struct authority *issuer = row->self_signed ? NULL : row->unknown_authority ? &foreign : &ours;
        SSL_CTX *server = make_server(issuer, row->alternative, row->from);
        struct peer *peer = peer_start(serve_hi, server, NULL);
        struct client client;
        struct told told = {0};
        begin(&client, row->host, peer);
        client_delete(&client, &told);
        client_finish(&client, &told);
        if (row->word == NULL)
            expect_answer(&told, 200, "hi");
        else
            expect_failure(&told, UPSTREAM_UNTRUSTED, false, row->word);
        assert_int_equal(peer->requests, row->word == NULL);
        told_free(&told);
        client_end(&client);
        peer_stop(peer);
        SSL_CTX_free(server);
    }
}

static void test_old_protocol(void **state)
{
    (void)state;
    SSL_CTX *server = make_server(&ours, "DNS:localhost", -60);
    SSL_CTX_set_security_level(server, 0);
    SSL_CTX_set_min_proto_version(server, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(server, TLS1_1_VERSION);
    struct peer *peer = peer_start(serve_hi, server, NULL);
    struct client client;
    struct told told = {0};
    begin(&client, "localhost", peer);
    client_get(&client, &told);
    client_finish(&client, &told);
    expect_failure(&told, UPSTREAM_UNTRUSTED, false, "localhost: TLS: ");
    client_end(&client);
    peer_stop(peer);
    SSL_CTX_free(server);
}

static void serve_plain(struct stream *stream)
{
    char bytes[512];
    if (stream_receive(stream, bytes, sizeof(bytes)) > 0)
        stream_say(stream, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
}

static void serve_close_at_once(struct stream *stream)
{
    char bytes[512];
    stream_receive(stream, bytes, sizeof(bytes));
}

static void test_no_tls_at_all(void **state)
{
    (void)state;
    for (int closes = 0; closes < 2; closes++) {
        struct peer *peer = peer_start(closes ? serve_close_at_once : serve_plain, NULL, NULL);
        struct client client;
        struct told told = {0};
        client_prepare(&client, "127.0.0.1", peer->port, true);
        client.config.upstream.ca_file = ca_path;
        client_begin(&client);
        client_get(&client, &told);
        client_finish(&client, &told);
        if (closes)
            expect_failure(&told, UPSTREAM_UNREACHABLE, false, "TLS with 127.0.0.1:");
        else
            expect_failure(&told, UPSTREAM_UNTRUSTED, false, "wrong version number");
        client_end(&client);
        peer_stop(peer);
    }
}

/* SNI and ALPN as the server sees them. */
static int on_alpn(SSL *ssl, const unsigned char **chosen, unsigned char *length,
                   const unsigned char *offered, unsigned int offered_length, void *arg)
{
    struct peer **peer = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    bool good = name != NULL && strcmp(name, "localhost") == 0;
    good = good && offered_length == 9 && memcmp(offered, "\x08http/1.1", 9) == 0;
    (*peer)->signal = good ? 1 : -1;
    *chosen = offered + 1;
    *length = offered[0];
    return SSL_TLSEXT_ERR_OK;
}

static void test_name_and_protocol_are_sent(void **state)
{
    (void)state;
    struct peer *peer = NULL;
    struct client client;
    SSL_CTX *server = make_server(&ours, "DNS:localhost", -60);
    SSL_CTX_set_alpn_select_cb(server, on_alpn, &peer);
    peer = peer_start(serve_hi, server, NULL);
    begin(&client, "localhost", peer);
    get_hi(&client);
    assert_int_equal(peer->signal, 1);
    client_end(&client);
    peer_stop(peer);
    SSL_CTX_free(server);
}

/* A connection is used again; closed idle, it says so; and the next one resumes its session. */
static void test_keep_alive_and_resumption(void **state)
{
    (void)state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2; i++) {
        SSL_CTX *server = make_server(&ours, "DNS:localhost", -60);
        SSL_CTX_set_max_proto_version(server, versions[i]);
        struct peer *peer = peer_start(serve_hi, server, NULL);
        struct client client;
        client_prepare(&client, "localhost", peer->port, true);
        client.config.upstream.ca_file = ca_path;
        client.config.upstream.idle_timeout_ms = 400;
        client_begin(&client);
        for (unsigned round = 0; round < 3; round++) {
            get_hi(&client);
            get_hi(&client);
            assert_int_equal(peer->connections, round + 1);
            assert_int_equal(peer->resumed, round);
            CLIENT_UNTIL(&client, peer->closed == round + 1); /* by the idle time-out */
            assert_int_equal(peer->closed_politely, round + 1);
        }
        client_end(&client);
        peer_stop(peer);
        SSL_CTX_free(server);
    }
}

/* Resuming a session skips the certificate, so it is not done for ever. */
static void test_old_session_is_not_resumed(void **state)
{
    (void)state;
    SSL_CTX *server = make_server(&ours, "DNS:localhost", -60);
    struct peer *peer = peer_start(serve_and_close, server, (void *)(uintptr_t)HI);
    struct client client;
    begin(&client, "localhost", peer);
    for (unsigned resumed = 0; resumed < 3; resumed++) {
        get_hi(&client);
        CLIENT_UNTIL(&client, client_connections(&client) == 0);
        assert_int_equal(peer->resumed, resumed);
    }
    client.upstream->memory.verified -=
        3601 * INT64_C(1000000); /* tickets of resumed sessions did not make it younger */
    get_hi(&client);
    assert_int_equal(peer->resumed, 2);
    client_end(&client);
    peer_stop(peer);
    SSL_CTX_free(server);
}

/* New trust anchors count at once: no session made under the old ones helps past them; a bad file changes
 * nothing. */
static void test_reload(void **state)
{
    (void)state;
    SSL_CTX *server = make_server(&ours, "DNS:localhost", -60);
    struct peer *peer = peer_start(serve_and_close, server, (void *)(uintptr_t)HI);
    struct client client;
    struct told told = {0};
    char error[256] = "";
    begin(&client, "localhost", peer);
    get_hi(&client);
    CLIENT_UNTIL(&client, client_connections(&client) == 0);
    get_hi(&client);
    CLIENT_UNTIL(&client, client_connections(&client) == 0);
    assert_int_equal(peer->resumed, 1);

    FILE *file = fopen(ca_path, "w");
    fputs("this is no certificate\n", file);
    fclose(file);
    assert_false(upstream_shared_reload(client.shared, error, sizeof(error)));
    assert_non_null(strstr(error, ca_path));
    get_hi(&client);
    CLIENT_UNTIL(&client, client_connections(&client) == 0);
    assert_int_equal(peer->resumed, 2);

    write_ca(&foreign);
    assert_true(upstream_shared_reload(client.shared, error, sizeof(error)));
    client_get(&client, &told);
    client_finish(&client, &told);
    expect_failure(&told, UPSTREAM_UNTRUSTED, false, "unable to get local issuer certificate");

    write_ca(&ours);
    assert_true(upstream_shared_reload(client.shared, error, sizeof(error)));
    get_hi(&client);
    assert_int_equal(peer->resumed, 2);
    client_end(&client);
    peer_stop(peer);
    SSL_CTX_free(server);
}

static void test_bad_ca_file(void **state)
{
    (void)state;
    struct client client;
    char error[256] = "";
    client_prepare(&client, "127.0.0.1", 1, true);
    client.config.upstream.ca_file = (char *)(uintptr_t) "/nonexistent/ca.pem";
    assert_null(upstream_shared_new(&client.config, error, sizeof(error)));
    assert_non_null(strstr(error, "/nonexistent/ca.pem"));
}

static void test_system_store(void **state)
{
    (void)state;
    SSL_CTX *server = make_server(&ours, "DNS:localhost", -60);
    struct peer *peer = peer_start(serve_hi, server, NULL);
    struct client client;
    struct told told = {0};
    client_prepare(&client, "localhost", peer->port, true);
    client_begin(&client); /* no ca_file: nobody out there vouches for us */
    client_get(&client, &told);
    client_finish(&client, &told);
    expect_failure(&told, UPSTREAM_UNTRUSTED, false, "unable to get local issuer certificate");
    client_end(&client);
    peer_stop(peer);
    SSL_CTX_free(server);
}

/* Only close_notify ends an answer without length: whoever cuts the line must not be able to shorten it. */
static void test_truncation(void **state)
{
    (void)state;
    static const char until_close[] = OK "Connection: close\r\n\r\nhi";
    for (int polite = 0; polite < 2; polite++) {
        SSL_CTX *server = make_server(&ours, "DNS:localhost", -60);
        struct peer *peer =
            peer_start(polite ? serve_and_close : serve_and_cut, server, (void *)(uintptr_t)until_close);
        struct client client;
        struct told told = {0};
        begin(&client, "localhost", peer);
        client_get(&client, &told);
        client_finish(&client, &told);
        if (polite)
            expect_answer(&told, 200, "hi");
        else
            expect_failure(&told, UPSTREAM_CLOSED, true, "cut off by the peer");
        told_free(&told);
        client_end(&client);
        peer_stop(peer);
        SSL_CTX_free(server);
    }
}

/* The pooled connection is cut by the second request: a read goes again over a new one, a mutation does not.
 */
static void serve_cut_second(struct stream *stream)
{
    while (stream_read_request(stream)) {
        if (stream->nth == 0 && stream->peer->signal++ > 0)
            return;
        stream_say(stream, HI);
    }
}

static void test_sending_again(void **state)
{
    (void)state;
    for (int mutation = 0; mutation < 2; mutation++) {
        SSL_CTX *server = make_server(&ours, "DNS:localhost", -60);
        struct peer *peer = peer_start(serve_cut_second, server, NULL);
        struct client client;
        struct told told = {0};
        begin(&client, "localhost", peer);
        get_hi(&client);
        if (mutation)
            client_delete(&client, &told);
        else
            client_get(&client, &told);
        client_finish(&client, &told);
        if (mutation)
            expect_failure(&told, UPSTREAM_CLOSED, true, "cut off");
        else
            expect_answer(&told, 200, "hi");
        assert_int_equal(peer->requests, mutation ? 2 : 3);
        told_free(&told);
        client_end(&client);
        peer_stop(peer);
        SSL_CTX_free(server);
    }
}

/* Bodies of many records, both ways, with pauses. */
#define LARGE (4 * 1024 * 1024)

static void serve_echo_size(struct stream *stream)
{
    static const char block[100000] = {0};
    char bytes[20000];
    size_t got = 0;
    ssize_t step;
    while (got < LARGE && (step = stream_receive(stream, bytes, sizeof(bytes))) > 0)
        got += (size_t)step;
    stream_say(stream, OK "Content-Length: 4000000\r\n\r\n");
    for (int i = 0; i < 40; i++)
        stream_send(stream, block, sizeof(block));
    stream_await_close(stream);
}

static void on_body_pause(struct told *told)
{
    upstream_pause(told->call);
}

static void test_large_bodies(void **state)
{
    (void)state;
    SSL_CTX *server = make_server(&ours, "DNS:localhost", -60);
    struct peer *peer = peer_start(serve_echo_size, server, NULL);
    struct client client;
    struct told told = {.count_only = true, .on_body = on_body_pause};
    char *body = calloc(1, LARGE);
    begin(&client, "localhost", peer);
    client_start(&client, &told, "POST", "/t", (struct span){body, LARGE});
    free(body);
    for (int i = 0; i < 50; i++) {
        size_t before = told.bytes;
        CLIENT_UNTIL(&client, told.bytes > before);
        assert_int_equal(told.fails + told.ends, 0);
        upstream_resume(told.call);
    }
    told.on_body = NULL;
    client_finish(&client, &told);
    assert_int_equal(told.bytes, 4000000);
    told_free(&told);
    client_end(&client);
    peer_stop(peer);
    SSL_CTX_free(server);
}

/* A handshake that never ends is part of connecting. */
static void serve_silence(struct stream *stream)
{
    stream_await_close(stream);
}

static void test_handshake_timeout_and_cancel(void **state)
{
    (void)state;
    struct peer *peer = peer_start(serve_silence, NULL, NULL);
    struct client client;
    struct told told = {0}, gone = {0};
    client_prepare(&client, "127.0.0.1", peer->port, true);
    client.config.upstream.ca_file = ca_path;
    client.config.upstream.connect_timeout_ms = 60;
    client_begin(&client);
    client_get(&client, &told);
    client_finish(&client, &told);
    expect_failure(&told, UPSTREAM_TIMEOUT, false, "TLS with 127.0.0.1:");
    client_get(&client, &gone);
    CLIENT_UNTIL(&client, gone.call->connection && gone.call->connection->stage == CONNECTION_SHAKING);
    upstream_cancel(gone.call);
    CLIENT_UNTIL(&client, peer->closed == 2);
    assert_int_equal(gone.fails + gone.ends, 0);
    client_end(&client);
    peer_stop(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trust),
        cmocka_unit_test(test_old_protocol),
        cmocka_unit_test(test_no_tls_at_all),
        cmocka_unit_test(test_name_and_protocol_are_sent),
        cmocka_unit_test(test_keep_alive_and_resumption),
        cmocka_unit_test(test_old_session_is_not_resumed),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_bad_ca_file),
        cmocka_unit_test(test_system_store),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_sending_again),
        cmocka_unit_test(test_large_bodies),
        cmocka_unit_test(test_handshake_timeout_and_cancel),
    };
    signal(SIGPIPE, SIG_IGN); /* the test's servers write through OpenSSL's own sockets */
    return cmocka_run_group_tests(tests, make_authorities, free_authorities);
}
