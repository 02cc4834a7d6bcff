#include "proxy/net/tls_bio.h"

#include <openssl/ssl.h>

/* The BIO keeps no bytes; its data is the transport. */

static int bio_result(BIO *bio, struct transport *transport, enum transport_result result)
{
    transport->error = result == TRANSPORT_BROKEN ? transport->error : 0;
    BIO_clear_retry_flags(bio);
    if (result == TRANSPORT_WANTS_READ)
        BIO_set_retry_read(bio);
    if (result == TRANSPORT_WANTS_WRITE)
        BIO_set_retry_write(bio);
    if (result == TRANSPORT_ENDED)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return result == TRANSPORT_DONE;
}

static int bio_read(BIO *bio, char *bytes, size_t room, size_t *length)
{
    struct transport *transport = BIO_get_data(bio);
    if (transport->turns == 0) {
        *length = 0;
        return bio_result(bio, transport, TRANSPORT_WANTS_READ);
    }
    transport->turns--;
    return bio_result(bio, transport, transport_receive(transport, bytes, room, length));
}

static int bio_write(BIO *bio, const char *bytes, size_t length, size_t *taken)
{
    struct transport *transport = BIO_get_data(bio);
    return bio_result(bio, transport, transport_send(transport, bytes, length, taken));
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF)
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "transport");
    if (method == NULL)
        return NULL;
    BIO_meth_set_read_ex(method, bio_read);
    BIO_meth_set_write_ex(method, bio_write);
    BIO_meth_set_ctrl(method, bio_control);
    return method;
}

bool tls_bio_attach(BIO_METHOD *method, SSL *ssl, struct transport *transport)
{
    BIO *bio = BIO_new(method);
    if (bio == NULL)
        return false;
    BIO_set_data(bio, transport);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    transport->ssl = ssl;
    return true;
}
