/* Which of several addresses a connection is made to. Pure but for the probe that a plan claims. */
#ifndef PROXY_UPSTREAM_BALANCE_H
#define PROXY_UPSTREAM_BALANCE_H

#include "proxy/upstream/address.h"

/* The order in which to try the addresses of a list, each once. */
struct balance_plan {
    unsigned char order[ADDRESSES_MOST];
    bool probe; /* the first one is returning, and this connection's call is its probe: claimed */
};

/* Those that are up go first, the one with the fewest requests under way before the others; of equals the one
 * that `turn` points at. Behind them those that are returning and those that are ejected: when none is up,
 * all are tried as if nothing were known. With `may_probe`, one that is returning and has no probe under way
 * goes before all. */
struct balance_plan balance_plan(const struct addresses *addresses, bool may_probe, size_t turn, int64_t now);

bool balance_all_up(const struct addresses *addresses);

/* Is one of them returning, with no request that tries it? */
bool balance_wants_probe(const struct addresses *addresses, int64_t now);

/* The fewest requests under way at any address that is up; UINT_MAX when none is up. */
unsigned balance_least(const struct addresses *addresses);

#endif
