#include "proxy/upstream/status.h"
#include "proxy/upstream/shared.h"

#include <stdio.h>

bool upstream_alive(struct upstream_shared *shared, char why[static UPSTREAM_WHY])
{
    struct addresses *addresses = NULL;

    snprintf(why, UPSTREAM_WHY, "the upstream's name is not resolved yet");
    if (resolver_addresses(shared->resolver, &addresses, why, UPSTREAM_WHY) != RESOLVER_READY)
        return false;
    addresses_release(addresses);
    return true;
}
