/* One kind of place that the journal is shipped to. All calls but one come from the destination's own
 * thread. */
#ifndef PROXY_SHIP_DESTINATION_H
#define PROXY_SHIP_DESTINATION_H

#include "proxy/config/config.h"
#include "proxy/ship/batch.h"
#include "proxy/ship/stopping.h"

#define DESTINATION_WHY 512 /* bytes of a reason */

struct destination {
    const char *name;  /* as settings, metrics and files call it */
    int64_t linger_us; /* a batch that is not full waits that long behind the one before it */

    /* Is one configured? */
    bool (*wanted)(const struct config *config);

    /* NULL with a message. `config` and `stopping` must outlive it. */
    void *(*open)(const struct config *config, const struct stopping *stopping, char *error,
                  size_t error_size);

    /* Ships the lines behind batch->taken, and raises that for each that was taken. True when all were; else
     * `why` says why not, without any secret. Ends in bounded time, and at the stop's last moment. */
    bool (*ship)(void *destination, struct batch *batch, char why[static DESTINATION_WHY]);

    /* Reads ship.ca_file anew, for connections to come. False with a message, and no change. From the control
     * thread, at any time between open and close. */
    bool (*reload)(void *destination, char *error, size_t error_size);

    void (*close)(void *destination); /* NULL allowed */
};

extern const struct destination destination_syslog, destination_webhook;

#endif
