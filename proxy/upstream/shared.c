#include "proxy/upstream/shared.h"
#include "proxy/upstream/upstream.h"

#include <stdio.h>
#include <stdlib.h>

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
    shared->resolver = resolver_new(config->upstream.host, config->upstream.port, config->upstream.addresses,
                                    config->upstream.resolve_interval_s, error, error_size);
    if (shared->resolver == NULL)
        goto fail_tls;
    return shared;

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
    return shared->tls == NULL || tls_reload(shared->tls, error, error_size);
}
