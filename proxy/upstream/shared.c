#include "proxy/upstream/shared.h"
#include "proxy/upstream/upstream.h"

#include <stdio.h>
#include <stdlib.h>

/* With a proxy it is the proxy who is connected to. */
static struct resolver *make_resolver(const struct config *config, char *error, size_t error_size)
{
    bool direct = config->upstream.proxy == NULL;
    return resolver_new(direct ? config->upstream.host : config->upstream.proxy_host,
                        direct ? config->upstream.port : config->upstream.proxy_port,
                        config->upstream.addresses, config->upstream.resolve_interval_s, error, error_size);
}

struct upstream_shared *upstream_shared_new(const struct config *config, char *error, size_t error_size)
{
    struct upstream_shared *shared = calloc(1, sizeof(*shared));
    if (shared == NULL) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    shared->config = config;
    if (!owner_key_make(&shared->key)) {
        snprintf(error, error_size, "the kernel gives no random bytes");
        goto fail_shared;
    }
    if (config->upstream.tls) {
        shared->tls = tls_new(config, error, error_size);
        if (shared->tls == NULL)
            goto fail_shared;
    }
    shared->ejection = (struct ejection){config->upstream.eject_failures, config->upstream.eject_seconds};
    if (config->upstream.proxy != NULL && (shared->way = tunnel_way_new(config, error, error_size)) == NULL)
        goto fail_tls;
    shared->resolver = make_resolver(config, error, error_size);
    if (shared->resolver == NULL)
        goto fail_way;
    return shared;

fail_way:
    tunnel_way_free(shared->way);
fail_tls:
    tls_free(shared->tls);
fail_shared:
    free(shared);
    return NULL;
}

void upstream_shared_free(struct upstream_shared *shared)
{
    if (shared == NULL)
        return;
    resolver_free(shared->resolver);
    tunnel_way_free(shared->way);
    tls_free(shared->tls);
    free(shared);
}

struct upstream_owner upstream_owner(const struct upstream_shared *shared, struct span principal,
                                     struct span authorization)
{
    return owner_of(&shared->key, principal, authorization);
}

bool upstream_shared_reload(struct upstream_shared *shared, char *error, size_t error_size)
{
    char fault[192];
    bool trusted = shared->tls == NULL || tls_reload(shared->tls, fault, sizeof(fault));
    if (!trusted)
        snprintf(error, error_size, "upstream.ca_file: %s", fault);
    return trusted && (shared->way == NULL || tunnel_way_reload(shared->way, error, error_size));
}
