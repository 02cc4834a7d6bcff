/* A tunnel through an HTTP proxy (CONNECT, RFC 9110 §9.3.6): the way out that a company's network may demand.
 * The proxy is told host and port of the upstream, and its own credentials; all that follows is TLS with the
 * upstream, which the proxy can carry but not read. */
#ifndef PROXY_UPSTREAM_TUNNEL_H
#define PROXY_UPSTREAM_TUNNEL_H

#include "proxy/config/config.h"
#include "proxy/net/transport.h"
#include "proxy/upstream/answer.h"

/* What all tunnels have in common: the request that opens one. */
struct tunnel_way;

/* Reads the proxy's credentials, if the configuration names some. NULL with a message in error[]. `config`
 * must outlive it. */
struct tunnel_way *tunnel_way_new(const struct config *config, char *error, size_t error_size);
void tunnel_way_free(struct tunnel_way *way);

/* Reads them anew, for tunnels to come. False with a message, and no change, when they are wrong. Any thread.
 */
bool tunnel_way_reload(struct tunnel_way *way, char *error, size_t error_size);

/* One that is being opened; zeroed is none. */
struct tunnel {
    char *request; /* not all written yet; wiped then */
    size_t length, written;
};

enum tunnel_result {
    TUNNEL_OPEN,
    TUNNEL_WANTS_READ, /* again when the socket is readable */
    TUNNEL_WANTS_WRITE,
    TUNNEL_REFUSED, /* the proxy answered, and not as it should */
    TUNNEL_BROKEN,  /* the connection to the proxy is lost */
};

/* Begins one; false when memory is out. `answer` is where the proxy's answer is read. */
bool tunnel_begin(struct tunnel *tunnel, struct tunnel_way *way, struct answer *answer);

/* Goes on. With REFUSED and BROKEN `fault` says why. */
enum tunnel_result tunnel_step(struct tunnel *tunnel, struct transport *transport, struct answer *answer,
                               char *fault, size_t fault_size);

/* Gives back what there is, in any state. */
void tunnel_end(struct tunnel *tunnel);

#endif
