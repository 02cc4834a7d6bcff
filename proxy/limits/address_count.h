/* How many connections each client address has, over all workers. One lock, taken twice a connection. Memory
 * is bounded by the connections: an address without any is forgotten. */
#ifndef PROXY_LIMITS_ADDRESS_COUNT_H
#define PROXY_LIMITS_ADDRESS_COUNT_H

#include "policies/network.h"

struct address_count; /* the table */
struct address_place; /* one address in it */

/* What counts as one address: an IPv6 client has a whole /64 to choose from. */
struct ip_address address_count_key(const struct ip_address *address);

/* `most` connections for each address; 0: no bound, and nothing is counted. NULL when memory or randomness is
 * out.
 */
struct address_count *address_count_new(unsigned most);
void address_count_free(struct address_count *count);

/* One connection more of this address (of its /64 where it is IPv6). True when that is within the bound:
 * *place is then to be given back by address_count_leave (NULL where nothing is counted). False: one too
 * many, or memory is out; nothing was counted. Any thread. */
bool address_count_enter(struct address_count *count, const struct ip_address *address,
                         struct address_place **place);

/* The connection is over; `place` may be NULL. Any thread. */
void address_count_leave(struct address_count *count, struct address_place *place);

/* Does the place count connections of this address? */
bool address_place_is(const struct address_place *place, const struct ip_address *address);

#endif
