/* One destination's thread: reads the journal, ships it in order, keeps the position. */
#ifndef PROXY_SHIP_SHIPPER_H
#define PROXY_SHIP_SHIPPER_H

#include "proxy/ship/destination.h"

struct shipper;

/* How much of the journal is durable; 0: it is not open yet, and another process may be shipping it. Any
 * thread. */
typedef uint64_t shipper_durable(void *arg);

struct shipper_settings {
    const struct config *config;
    const struct destination *destination;
    shipper_durable *durable;
    void *arg;
};

/* Opens the destination, starts the thread, which reads its position once the journal is open. All that
 * `settings` points to must outlive it. NULL with a message. */
struct shipper *shipper_start(const struct shipper_settings *settings, char *error, size_t error_size);

/* Reads ship.ca_file anew. False with a message, and no change. Any thread. */
bool shipper_reload(struct shipper *shipper, char *error, size_t error_size);

/* It ships what there is for so long at most, then the thread ends. */
void shipper_stop(struct shipper *shipper, int64_t within_us);

/* Waits for the thread's end; shipper_stop first. NULL allowed. */
void shipper_free(struct shipper *shipper);

struct shipper_status {
    const char *name;
    uint64_t seq; /* of the last line that the destination has, or that was lost to it */
    unsigned long records, errors, missing;
    int64_t last_success_us; /* since the epoch; 0: never by this run */
};

/* A snapshot. Any thread. */
void shipper_status(const struct shipper *shipper, struct shipper_status *status);

#endif
