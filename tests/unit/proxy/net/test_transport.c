/* Bytes over a socket pair, plain and TLS: what is taken, what is left, and how it ends. */
#include "proxy/net/tls_bio.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

struct link {
    BIO_METHOD *method;
    SSL_CTX *server, *client;
    struct transport near, far; /* `far` is the client */
};

static void make_server(struct link *link)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();

    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    link->server = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(link->server, certificate);
    SSL_CTX_use_PrivateKey(link->server, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void attach(struct link *link)
{
    SSL *near = SSL_new(link->server), *far = SSL_new(link->client);

    assert_true(tls_bio_attach(link->method, near, &link->near));
    assert_true(tls_bio_attach(link->method, far, &link->far));
    SSL_set_accept_state(near);
    SSL_set_connect_state(far);
    for (bool near_done = false, far_done = false; !near_done || !far_done;) {
        far_done = transport_handshake(&link->far) == TRANSPORT_DONE;
        near_done = transport_handshake(&link->near) == TRANSPORT_DONE;
    }
}

static void open_link(struct link *link, bool tls, int version)
{
    const long modes =
        SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS;
    int sockets[2];

    *link = (struct link){.method = tls_bio_method()};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets), 0);
    link->near.fd = sockets[0];
    link->far.fd = sockets[1];
    if (!tls)
        return;
    make_server(link);
    link->client = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(link->client, version);
    SSL_CTX_set_mode(link->server, modes);
    SSL_CTX_set_mode(link->client, modes);
    SSL_CTX_clear_mode(link->server, SSL_MODE_AUTO_RETRY);
    attach(link);
}

static void close_link(struct link *link)
{
    transport_close(&link->near, false);
    transport_close(&link->far, false);
    SSL_CTX_free(link->server);
    SSL_CTX_free(link->client);
    BIO_meth_free(link->method);
}

static const struct {
    bool tls;
    int version;
} kinds[] = {{false, 0}, {true, TLS1_2_VERSION}, {true, TLS1_3_VERSION}};

#define KINDS (sizeof kinds / sizeof *kinds)

/* Two spans of all sizes around a record's, through a socket that is full again and again. */
static void both_arrive(void **state)
{
    static const size_t sizes[][2] = {{0, 1},       {1, 0},        {300, 0},      {300, 200}, {4095, 1},
                                      {4096, 5000}, {5000, 70000}, {300, 700000}, {400000, 1}};
    static char bytes[1000000], got[1000000];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 31 + i / 251);
    for (size_t row = 0; row < KINDS * sizeof sizes / sizeof *sizes; row++) {
        const size_t *size = sizes[row / KINDS];
        struct link link;
        open_link(&link, kinds[row % KINDS].tls, kinds[row % KINDS].version);
        size_t all = size[0] + size[1], taken = 0, received = 0, some = 0, length;
        enum transport_result result = transport_write_both(&link.near, (struct span){bytes, size[0]},
                                                            (struct span){bytes + size[0], size[1]}, &taken);
        assert_true(result == TRANSPORT_DONE ? taken == all : result == TRANSPORT_WANTS_WRITE && taken < all);
        while (received < all) {
            while (taken < all && (result = transport_write(&link.near, bytes + taken, all - taken, &some)) ==
                                      TRANSPORT_DONE)
                taken += some;
            result = transport_read(&link.far, got + received, sizeof got - received, &length);
            if (result == TRANSPORT_DONE)
                received += length;
            else
                assert_int_equal(result, TRANSPORT_WANTS_READ);
        }
        assert_memory_equal(got, bytes, all);
        close_link(&link);
    }
}

/* A peer that sends records without data does not keep a read busy. */
static void read_lets_go(void **state)
{
    struct link link;
    char byte;
    size_t length = 0;
    unsigned turns = 0;

    (void)state;
    open_link(&link, true, TLS1_3_VERSION);
    SSL_CTX_set_mode(link.server, SSL_MODE_AUTO_RETRY);
    SSL_set_mode(link.near.ssl, SSL_MODE_AUTO_RETRY);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(SSL_key_update(link.far.ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(link.far.ssl), 1);
    }
    assert_int_equal(transport_write(&link.far, "x", 1, &length), TRANSPORT_DONE);
    while (transport_read(&link.near, &byte, 1, &length) == TRANSPORT_WANTS_READ && turns < 1000)
        turns++;
    assert_true(turns >= 100 * 2 / 16 && turns < 100);
    assert_int_equal(byte, 'x');
    close_link(&link);
}

static void ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct link link;
        char bytes[16];
        size_t length;

        open_link(&link, kinds[i].tls, kinds[i].version);
        assert_int_equal(transport_read(&link.near, bytes, sizeof bytes, &length), TRANSPORT_WANTS_READ);
        assert_int_equal(transport_finish(&link.near), TRANSPORT_DONE);
        while (transport_read(&link.far, bytes, sizeof bytes, &length) == TRANSPORT_WANTS_READ)
            ;
        assert_int_equal(transport_read(&link.far, bytes, sizeof bytes, &length), TRANSPORT_ENDED);
        close_link(&link);

        /* Cut off: TLS sees the difference. */
        open_link(&link, kinds[i].tls, kinds[i].version);
        uint64_t sent = link.near.sent;
        transport_end_tls(&link.near, false);
        assert_int_equal(link.near.sent, kinds[i].tls ? sent : 0);
        assert_null(link.near.ssl);
        close(link.near.fd);
        link.near.fd = -1;
        enum transport_result result;
        while ((result = transport_read(&link.far, bytes, sizeof bytes, &length)) == TRANSPORT_WANTS_READ)
            ;
        assert_int_equal(result, kinds[i].tls ? TRANSPORT_BROKEN : TRANSPORT_ENDED);
        close_link(&link);
    }
}

/* What TLS has taken off the socket and a small read left: no event would come for it. */
static void held_bytes(void **state)
{
    struct link link;
    char bytes[16];
    size_t length;

    (void)state;
    open_link(&link, true, TLS1_2_VERSION);
    assert_int_equal(transport_write(&link.far, "0123456789", 10, &length), TRANSPORT_DONE);
    assert_false(transport_holds(&link.near));
    assert_int_equal(transport_read(&link.near, bytes, 4, &length), TRANSPORT_DONE);
    assert_true(transport_holds(&link.near));
    assert_int_equal(transport_read(&link.near, bytes, sizeof bytes, &length), TRANSPORT_DONE);
    assert_int_equal(length, 6);
    assert_false(transport_holds(&link.near));
    close_link(&link);
    open_link(&link, false, 0);
    assert_false(transport_holds(&link.near));
    close_link(&link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_arrive),
        cmocka_unit_test(read_lets_go),
        cmocka_unit_test(ends),
        cmocka_unit_test(held_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
