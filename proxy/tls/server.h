/* TLS towards clients: one for the whole gate, used by all workers. */
#ifndef PROXY_TLS_SERVER_H
#define PROXY_TLS_SERVER_H

#include "proxy/config/config.h"
#include "proxy/net/transport.h"
#include "proxy/tls/peer_names.h"

struct tls_server;

/* Loads what the settings name. NULL when something is wrong, which is in `problems` then. `config` must
 * outlive it. */
struct tls_server *tls_server_new(const struct config *config, struct problems *problems);

/* No connection may be left. */
void tls_server_free(struct tls_server *server);

/* Loads all of it anew for connections to come; those that are open go on as they are. False, and no change,
 * when something is wrong. Any thread. */
bool tls_server_reload(struct tls_server *server, struct problems *problems);

/* Would it load? For `check`: what is wrong, or soon will be, is in `problems`. */
void tls_server_examine(const struct config *config, struct problems *problems);

/* When the certificate in use expires, seconds since the epoch. Any thread. */
int64_t tls_server_expiry(struct tls_server *server);

/* Puts TLS over the connected socket of `transport`, which must stay where it is, for transport_handshake.
 * False when memory is out. Any thread. */
bool tls_server_attach(struct tls_server *server, struct transport *transport);

/* After the handshake: the names in the client's certificate, which was verified; NULL without one, and when
 * memory is out (*failed). Freed with free. */
struct peer_names *tls_server_peer(const struct transport *transport, bool *failed);

/* Was the session one that is resumed? */
bool tls_server_resumed(const struct transport *transport);

/* Why a handshake failed. */
enum tls_fault {
    TLS_FAULT_CLOSED,      /* by the client, without a word */
    TLS_FAULT_CERTIFICATE, /* the client's: missing, or not accepted */
    TLS_FAULT_PROTOCOL,    /* version, cipher, protocol name, or no TLS at all */
    TLS_FAULT_TIMEOUT,     /* never found by tls_server_fault */
};
#define TLS_FAULTS 4

/* Why the handshake broke, and in words into `text`. */
enum tls_fault tls_server_fault(const struct transport *transport, char *text, size_t size);

#endif
