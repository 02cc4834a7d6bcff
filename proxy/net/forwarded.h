/* X-Forwarded-For: whom proxies that are trusted say a request comes from. Pure.
 *
 * Each proxy appends the address that it was called from, so the list is read from its right end: as long as
 * the one who wrote an entry is trusted, the entry is true. */
#ifndef PROXY_NET_FORWARDED_H
#define PROXY_NET_FORWARDED_H

#include "policies/network.h"
#include "policies/request.h"

/* The caller is trusted. True: *client is the right-most address of the list that is not trusted, or, where
 * all are, the left-most one. False: there is no address to be had, the caller is the client. An entry that
 * is no address ends the list; what trusted proxies said up to there holds. */
bool forwarded_client(const struct field *fields, size_t count, const struct networks *trusted,
                      struct ip_address *client);

#endif
