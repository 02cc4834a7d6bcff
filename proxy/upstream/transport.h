/* The bytes of one connection: a socket, or TLS over it. Nothing here blocks or waits for events, raises
 * SIGPIPE, or calls back. */
#ifndef PROXY_UPSTREAM_TRANSPORT_H
#define PROXY_UPSTREAM_TRANSPORT_H

#include "policies/span.h"

#include <openssl/types.h>
#include <stdint.h>

enum transport_result {
    TRANSPORT_DONE,
    TRANSPORT_WANTS_READ, /* again when the socket is readable */
    TRANSPORT_WANTS_WRITE,
    TRANSPORT_ENDED,  /* the peer closed, cleanly */
    TRANSPORT_BROKEN, /* reset, cut off, or TLS failed: see transport_fault */
};

struct transport {
    int fd;        /* -1: none */
    SSL *ssl;      /* NULL: a plain socket */
    uint64_t sent; /* bytes that the socket took, those of TLS itself included */
    int error;     /* errno of what broke it; 0: TLS did, or the peer cut it off */
    unsigned long tls_error;
};

/* Reads once, at most `room` bytes; *length is how many. */
enum transport_result transport_read(struct transport *transport, char *bytes, size_t room, size_t *length);

/* Writes once; *length is how many bytes were taken. */
enum transport_result transport_write(struct transport *transport, const char *bytes, size_t length,
                                      size_t *taken);

/* Goes on with the TLS handshake. */
enum transport_result transport_handshake(struct transport *transport);

/* What broke it, in words, into `text`. */
void transport_fault(const struct transport *transport, char *text, size_t size);

/* Closes what there is and makes it empty; `politely`: says close_notify first. */
void transport_close(struct transport *transport, bool politely);

/* One recv or send on the socket: what both kinds come down to. */
enum transport_result transport_receive(struct transport *transport, char *bytes, size_t room,
                                        size_t *length);
enum transport_result transport_send(struct transport *transport, const char *bytes, size_t length,
                                     size_t *taken);

#endif
