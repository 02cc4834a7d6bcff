#include "proxy/upstream/status.h"
#include "proxy/base/clock.h"
#include "proxy/observe/exposition.h"
#include "proxy/upstream/shared.h"
#include "proxy/upstream/upstream_internal.h"

#include <stdio.h>

/* The addresses as they are known now; NULL with the reason. */
static struct addresses *addresses_of(struct upstream_shared *shared, char why[static UPSTREAM_WHY])
{
    struct addresses *addresses = NULL;
    snprintf(why, UPSTREAM_WHY, "the upstream's name is not resolved yet");
    (void)resolver_addresses(shared->resolver, &addresses, why, UPSTREAM_WHY);
    return addresses;
}

bool upstream_alive(struct upstream_shared *shared, char why[static UPSTREAM_WHY])
{
    struct addresses *addresses = addresses_of(shared, why);
    int64_t now = clock_monotonic_us();
    bool alive = false;
    if (addresses == NULL)
        return false;
    for (size_t i = 0; i < addresses->count && !alive; i++)
        alive = address_state(addresses->list[i], now) != ADDRESS_EJECTED;
    if (!alive)
        snprintf(why, UPSTREAM_WHY, "no address of the upstream has answered of late (%zu tried)",
                 addresses->count);
    addresses_release(addresses);
    return alive;
}

static uint64_t up_of(const struct address *address)
{
    return address->ejected_until == 0;
}

static uint64_t outstanding_of(const struct address *address)
{
    return address->outstanding;
}

static uint64_t failures_of(const struct address *address)
{
    return address->failures_total;
}

static uint64_t ejections_of(const struct address *address)
{
    return address->ejections_total;
}

void upstream_write(struct upstream_shared *shared, struct text *page)
{
    static const struct {
        const char *name, *kind, *help;
        uint64_t (*value)(const struct address *address);
    } families[] = {
        {"upstream_address_up", "gauge",
         "0 for an address that failed too often in a row, until it gives a whole answer", up_of},
        {"upstream_address_outstanding", "gauge", "Requests under way at an address", outstanding_of},
        {"upstream_address_failures_total", "counter", "Requests that got no whole answer from an address",
         failures_of},
        {"upstream_address_ejections_total", "counter", "Times that an address was ejected", ejections_of},
    };
    char why[UPSTREAM_WHY];
    struct addresses *addresses = addresses_of(shared, why);

    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        exposition_family(page, families[i].name, families[i].kind, families[i].help);
        for (size_t k = 0; addresses != NULL && k < addresses->count; k++) {
            exposition_name(page, families[i].name);
            exposition_label(page, true, "address", span_of(addresses->list[k]->text));
            exposition_value(page, true, families[i].value(addresses->list[k]), 1);
        }
    }
    exposition_single(page, "upstream_surplus_total", "counter",
                      "Idle connections that the upstream spoke on unasked", shared->surplus, 1);
    addresses_release(addresses);
}

void upstream_pool(const struct upstream *upstream, struct upstream_pool *pool)
{
    *pool = (struct upstream_pool){
        .busy = upstream->busy_count, .idle = upstream->idle_count, .waiting = upstream->waiting_count};
}
