/* Shipping: the journal as a stream to other places, without ever holding up the gate.
 *
 * Each destination of the configuration has a thread of its own that reads the journal's files as anybody
 * may, ships every line in order, and keeps its position on disk; so one that hangs holds up nothing but
 * itself. Each line is shipped at least once: after a crash some come a second time, with the same `seq`. */
#ifndef PROXY_SHIP_SHIP_H
#define PROXY_SHIP_SHIP_H

#include "policies/text.h"

struct config;
struct journal;
struct ship;

/* Starts what is configured; that may be nothing. Both must outlive it, but for ship_leave. NULL with a
 * message when a destination's settings cannot be used. */
struct ship *ship_start(const struct config *config, struct journal *journal, char *error, size_t error_size);

/* The journal is about to be closed: it is not asked any more. NULL allowed. */
void ship_leave(struct ship *ship);

/* Ships what there still is, for two seconds at most, and ends; after ship_leave and journal_close. NULL
 * allowed. */
void ship_free(struct ship *ship);

/* How far each destination is behind: durable records that it does not have yet. Returns how many
 * destinations there are. NULL allowed. Any thread. */
#define SHIP_DESTINATIONS 2
struct ship_lag {
    const char *name; /* static */
    uint64_t records;
};
size_t ship_lags(struct ship *ship, struct ship_lag lags[static SHIP_DESTINATIONS]);

/* Reads ship.ca_file anew, for connections to come. False with a message; the old certificates stay in use
 * then. NULL allowed. Any thread. */
bool ship_reload(struct ship *ship, char *error, size_t error_size);

/* Appends the metrics of what is configured, in Prometheus' text format. NULL allowed. Any thread. */
void ship_write(struct ship *ship, struct text *page);

#endif
