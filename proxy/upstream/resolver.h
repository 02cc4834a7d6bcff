/* The upstream's addresses, kept fresh by a thread of its own, so that no event loop ever waits for a name
 * server. */
#ifndef PROXY_UPSTREAM_RESOLVER_H
#define PROXY_UPSTREAM_RESOLVER_H

#include "proxy/upstream/address.h"

#include <sys/queue.h>

struct resolver;

/* Begins to look `host` up, and again every `interval_s`. A numeric host takes no thread, and neither do
 * `literals` (NULL-terminated; NULL: none), which are taken in place of looking up. NULL with a message in
 * error[]. */
struct resolver *resolver_new(const char *host, uint16_t port, char *const *literals, unsigned interval_s,
                              char *error, size_t error_size);

/* Never waits for a name server: a thread that sits in getaddrinfo is left to end by itself. */
void resolver_free(struct resolver *resolver);

enum resolver_result { RESOLVER_READY, RESOLVER_WAIT, RESOLVER_FAILED };

/* READY: *addresses is a reference of the caller's. WAIT: a look-up is under way, the watches are told of its
 * end. FAILED: `fault` says why. Any thread. */
enum resolver_result resolver_addresses(struct resolver *resolver, struct addresses **addresses, char *fault,
                                        size_t fault_size);

/* Nothing could be connected to: look the name up again, soon. Any thread. */
void resolver_refresh(struct resolver *resolver);

/* An eventfd that is written to whenever a look-up ends. The struct belongs to the caller. */
struct resolver_watch {
    LIST_ENTRY(resolver_watch) entry;
    int fd;
};

void resolver_watch(struct resolver *resolver, struct resolver_watch *watch);
void resolver_unwatch(struct resolver *resolver, struct resolver_watch *watch);

#endif
