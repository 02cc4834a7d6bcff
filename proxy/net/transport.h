/* The bytes of one connection, of a client or to the upstream: a socket, or TLS over it. Nothing here blocks
 * or waits for events, raises SIGPIPE, or calls back. */
#ifndef PROXY_NET_TRANSPORT_H
#define PROXY_NET_TRANSPORT_H

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
    int error;     /* errno of what broke it; 0: TLS did, or the peer cut it off */
    SSL *ssl;      /* NULL: a plain socket */
    uint64_t sent; /* bytes that the socket took, those of TLS itself included */
    unsigned long tls_error;
    unsigned turns; /* recv calls that OpenSSL may still make before it has to let go: see transport_read */
};

/* Reads once, at most `room` bytes; *length is how many. TLS takes no more than a record or two at a time: a
 * peer that sends records without data in them (renegotiation, key updates) cannot keep it busy, but gets
 * TRANSPORT_WANTS_READ while the socket is readable. So wait for events that are level-triggered. */
enum transport_result transport_read(struct transport *transport, char *bytes, size_t room, size_t *length);

/* Writes once; *length is how many bytes were taken. */
enum transport_result transport_write(struct transport *transport, const char *bytes, size_t length,
                                      size_t *taken);

/* Writes two spans, one behind the other, until the socket takes no more; *taken is how many bytes it took.
 * What it did not take must be written again, the same bytes first, and of TLS at least TRANSPORT_RECORD of
 * them or all there are, in one span. */
enum transport_result transport_write_both(struct transport *transport, struct span first, struct span second,
                                           size_t *taken);
#define TRANSPORT_RECORD 16384

/* Goes on with the TLS handshake. */
enum transport_result transport_handshake(struct transport *transport);

/* What broke it, in words, into `text`. */
void transport_fault(const struct transport *transport, char *text, size_t size);

/* Says that nothing more will come from this side: close_notify, then FIN. TRANSPORT_WANTS_WRITE: again when
 * the socket takes more; otherwise TRANSPORT_DONE. Not after it broke. */
enum transport_result transport_finish(struct transport *transport);

/* Has TLS got bytes that a read would give without the socket? No event comes for these. */
bool transport_holds(const struct transport *transport);

/* Frees what there is of TLS and leaves the socket alone; `politely`: says close_notify first. */
void transport_end_tls(struct transport *transport, bool politely);

/* Closes what there is and makes it empty; `politely`: says close_notify first. */
void transport_close(struct transport *transport, bool politely);

/* One recv or send on the socket: what both kinds come down to. */
enum transport_result transport_receive(struct transport *transport, char *bytes, size_t room,
                                        size_t *length);
enum transport_result transport_send(struct transport *transport, const char *bytes, size_t length,
                                     size_t *taken);

#endif
