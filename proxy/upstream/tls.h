/* TLS towards the upstream: whom to trust, how to verify, and the session that the next connection resumes.
 *
 * Sockets are read and written by net/tls_bio.h, so that it is known whether a byte went out. */
#ifndef PROXY_UPSTREAM_TLS_H
#define PROXY_UPSTREAM_TLS_H

#include "proxy/config/config.h"
#include "proxy/net/transport.h"

#include <openssl/ssl.h>

struct tls;

/* One worker's memory of the newest session; a zeroed struct is empty. It outlives the connections made with
 * it. */
struct tls_memory {
    SSL_CTX *context;
    SSL_SESSION *session;
    int64_t verified; /* when a certificate was last seen for it, monotonic microseconds */
};

/* Loads the trust anchors. NULL with a message in error[]. `config` must outlive it. */
struct tls *tls_new(const struct config *config, char *error, size_t error_size);
void tls_free(struct tls *tls);

/* Loads them anew for connections to come, which then resume no session made under the old ones. False with a
 * message, and no change, when they are wrong. Any thread. */
bool tls_reload(struct tls *tls, char *error, size_t error_size);

/* Puts TLS over the connected socket of `transport`, which must stay where it is. False when memory is out.
 */
bool tls_attach(struct tls *tls, struct tls_memory *memory, struct transport *transport);

/* Did the handshake break because the peer cannot be trusted (rather than because the connection was lost)?
 * Then says why. */
bool tls_untrusted(struct tls *tls, const struct transport *transport, char *text, size_t size);

void tls_forget(struct tls_memory *memory);

#endif
