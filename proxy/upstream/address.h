/* The upstream's addresses, and how each has been doing. All workers share them; a list that takes the place
 * of another shares with it the addresses that both have, so that what is known of one outlives look-ups.
 *
 * An address that fails several times in a row is ejected: others are preferred for a while, longer each time
 * and never the same for two gates. Then it is returning: one read after the other tries it, until one gets a
 * whole answer (it is up again) or none (it is ejected again). */
#ifndef PROXY_UPSTREAM_ADDRESS_H
#define PROXY_UPSTREAM_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESSES_MOST 16
#define ADDRESS_TEXT   (INET6_ADDRSTRLEN + sizeof "[]:65535")

struct address {
    struct sockaddr_storage socket;
    socklen_t length;
    char text[ADDRESS_TEXT]; /* "192.0.2.1:443" or "[2001:db8::1]:443" */

    _Atomic unsigned references;
    _Atomic bool listed;            /* the name leads here still */
    _Atomic unsigned outstanding;   /* requests that were given to it and have not ended, of all workers */
    _Atomic unsigned failures;      /* since the last whole answer */
    _Atomic int64_t ejected_until;  /* monotonic microseconds; 0: it is up */
    _Atomic unsigned ejected_times; /* since it was up */
    _Atomic bool probed;            /* a request tries it while it is returning */
    _Atomic unsigned long failures_total, ejections_total;
};

/* Counted references; not changed once it is handed out. */
struct addresses {
    _Atomic unsigned references;
    size_t count; /* 1 at least, ADDRESSES_MOST at most */
    struct address *list[ADDRESSES_MOST];
};

/* When to eject, and for how long the first time. */
struct ejection {
    unsigned failures; /* in a row; 0: never */
    unsigned seconds;
};

/* An empty list with one reference; NULL when memory is out. */
struct addresses *addresses_new(void);

/* Appends an address, the one of `known` (NULL: none) where that has the same. One that is there already, or
 * finds no room, is passed over. False when memory is out. */
bool addresses_add(struct addresses *addresses, const struct sockaddr *socket, socklen_t length,
                   const struct addresses *known);

/* `now` takes the place of `before`: what is not in it any more is not listed any more. */
void addresses_replace(const struct addresses *before, const struct addresses *now);

struct addresses *addresses_hold(struct addresses *addresses);
void addresses_release(struct addresses *addresses);

struct address *address_hold(struct address *address);
void address_release(struct address *address);

enum address_state { ADDRESS_UP, ADDRESS_RETURNING, ADDRESS_EJECTED };
enum address_state address_state(const struct address *address, int64_t now);

/* A request got no whole answer from it / got one. Log what follows from that. */
void address_failed(struct address *address, const struct ejection *ejection, int64_t now);
void address_succeeded(struct address *address);

/* The one request that may try an address that is returning; false when there is one already. Given back when
 * it has ended, behind address_failed or address_succeeded. */
bool address_claim_probe(struct address *address);
void address_end_probe(struct address *address);

#endif
