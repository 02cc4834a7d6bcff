/* What the workers' upstream sides have in common. */
#ifndef PROXY_UPSTREAM_SHARED_H
#define PROXY_UPSTREAM_SHARED_H

#include "proxy/config/config.h"
#include "proxy/upstream/owner.h"
#include "proxy/upstream/resolver.h"
#include "proxy/upstream/tls.h"
#include "proxy/upstream/tunnel.h"

struct upstream_shared {
    const struct config *config;
    struct owner_key key;
    struct ejection ejection;
    struct resolver *resolver;
    _Atomic unsigned long surplus; /* idle connections that spoke unasked */
    struct tunnel_way *way;        /* NULL: no proxy */
    struct tls *tls;               /* NULL: the upstream speaks plain HTTP */
};

#endif
