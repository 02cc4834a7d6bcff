#include "proxy/upstream/address.h"
#include "proxy/base/log.h"

#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define LONGEST_US (300 * INT64_C(1000000)) /* but for an eject_seconds that is longer itself */

struct addresses *addresses_new(void)
{
    struct addresses *addresses = calloc(1, sizeof(*addresses));
    if (addresses != NULL)
        addresses->references = 1;
    return addresses;
}

static struct address *find(const struct addresses *addresses, const void *socket, socklen_t length)
{
    for (size_t i = 0; addresses != NULL && i < addresses->count; i++)
        if (addresses->list[i]->length == length && memcmp(&addresses->list[i]->socket, socket, length) == 0)
            return addresses->list[i];
    return NULL;
}

static void name_address(struct address *address)
{
    char host[INET6_ADDRSTRLEN] = "?", port[8] = "?";
    getnameinfo((const struct sockaddr *)&address->socket, address->length, host, sizeof(host), port,
                sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(address->text, sizeof(address->text), strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

static struct address *address_new(const struct sockaddr *socket, socklen_t length)
{
    struct address *address = calloc(1, sizeof(*address));
    if (address == NULL)
        return NULL;
    memcpy(&address->socket, socket, length);
    address->length = length;
    address->references = 1;
    address->listed = true;
    name_address(address);
    return address;
}

bool addresses_add(struct addresses *addresses, const struct sockaddr *socket, socklen_t length,
                   const struct addresses *known)
{
    if (addresses->count == ADDRESSES_MOST || length > sizeof(addresses->list[0]->socket) ||
        find(addresses, socket, length) != NULL)
        return true;
    struct address *address = find(known, socket, length);
    address = address != NULL ? address_hold(address) : address_new(socket, length);
    if (address == NULL)
        return false;
    addresses->list[addresses->count++] = address;
    return true;
}

void addresses_replace(const struct addresses *before, const struct addresses *now)
{
    for (size_t i = 0; before != NULL && i < before->count; i++) {
        struct address *address = before->list[i];
        if (find(now, &address->socket, address->length) == NULL)
            address->listed = false;
    }
}

struct addresses *addresses_hold(struct addresses *addresses)
{
    addresses->references++;
    return addresses;
}

void addresses_release(struct addresses *addresses)
{
    if (addresses == NULL || --addresses->references > 0)
        return;
    for (size_t i = 0; i < addresses->count; i++)
        address_release(addresses->list[i]);
    free(addresses);
}

struct address *address_hold(struct address *address)
{
    address->references++;
    return address;
}

void address_release(struct address *address)
{
    if (address != NULL && --address->references == 0)
        free(address);
}

enum address_state address_state(const struct address *address, int64_t now)
{
    int64_t until = address->ejected_until;
    if (until == 0)
        return ADDRESS_UP;
    return now < until ? ADDRESS_EJECTED : ADDRESS_RETURNING;
}

/* Twice as long each time, and up to a quarter more. */
static int64_t ejection_time(const struct ejection *ejection, unsigned times)
{
    int64_t first = ejection->seconds * INT64_C(1000000), time = first;
    uint32_t random = 0;
    while (times-- > 0 && time < LONGEST_US)
        time *= 2;
    if (time > LONGEST_US)
        time = first > LONGEST_US ? first : LONGEST_US;
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
        random = 0;
    return time + time / 4 * (random % 1024) / 1024;
}

void address_failed(struct address *address, const struct ejection *ejection, int64_t now)
{
    int64_t until = address->ejected_until;
    unsigned failures = ++address->failures;
    address->failures_total++;
    if (ejection->failures == 0 || now < until || (until == 0 && failures < ejection->failures))
        return;
    int64_t time = ejection_time(ejection, address->ejected_times);
    if (!atomic_compare_exchange_strong(&address->ejected_until, &until, now + time))
        return; /* another worker did it */
    address->ejected_times++;
    address->ejections_total++;
    log_event(LOG_WARNING, "upstream-ejected",
              "%s failed %u times in a row: other addresses go before it for %d ms", address->text, failures,
              (int)(time / 1000));
}

void address_succeeded(struct address *address)
{
    if (address->failures != 0)
        address->failures = 0;
    if (address->ejected_until == 0)
        return;
    address->ejected_times = 0;
    if (atomic_exchange(&address->ejected_until, 0) != 0)
        log_event(LOG_INFO, "upstream-back", "%s answers again", address->text);
}

bool address_claim_probe(struct address *address)
{
    return !atomic_exchange(&address->probed, true);
}

void address_end_probe(struct address *address)
{
    address->probed = false;
}
