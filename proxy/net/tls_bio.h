/* How OpenSSL reads and writes a transport's socket: a BIO of our own, on the same events as a plain socket.
 * Nothing is buffered between the two, no write raises SIGPIPE, and it is known whether a byte went out. */
#ifndef PROXY_NET_TLS_BIO_H
#define PROXY_NET_TLS_BIO_H

#include "proxy/net/transport.h"

#include <openssl/bio.h>

/* Makes the method that all connections of one context share; freed with BIO_meth_free after the last of
 * them. NULL when memory is out. */
BIO_METHOD *tls_bio_method(void);

/* Puts `ssl` over the connected socket of `transport`, which owns it from then on and must stay where it is.
 * False, and nothing taken over, when memory is out. */
bool tls_bio_attach(BIO_METHOD *method, SSL *ssl, struct transport *transport);

#endif
