#include "proxy/ship/ship.h"

#include "proxy/audit/journal.h"
#include "proxy/base/file.h"
#include "proxy/base/log.h"
#include "proxy/observe/exposition.h"
#include "proxy/ship/shipper.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define STOP_US 2000000

static const struct destination *const kinds[] = {&destination_syslog, &destination_webhook};

#define KINDS (sizeof kinds / sizeof *kinds)
_Static_assert(KINDS == SHIP_DESTINATIONS, "ship_lags has room for each");

struct ship {
    pthread_mutex_t lock; /* of the two below */
    struct journal *journal;
    uint64_t durable; /* what the journal last said */

    struct shipper *shippers[KINDS];
    size_t count;
};

/* Asks the journal, if it is still there. Under the lock. */
static void ask(struct ship *ship)
{
    struct journal_status status;

    if (ship->journal == NULL)
        return;
    journal_status(ship->journal, &status);
    ship->durable = status.tree_size;
}

/* What was not durable when the journal was closed has been cut off: then all that is there is. One that was
 * never open is another process's to ship. */
static uint64_t durable(void *arg)
{
    struct ship *ship = arg;

    pthread_mutex_lock(&ship->lock);
    ask(ship);
    uint64_t size = ship->journal == NULL && ship->durable > 0 ? UINT64_MAX : ship->durable;
    pthread_mutex_unlock(&ship->lock);
    return size;
}

static bool start(struct ship *ship, const struct config *config, const struct destination *kind, char *error,
                  size_t error_size)
{
    const struct shipper_settings settings = {config, kind, durable, ship};

    if (ship->count == 0 && !directory_make(config->ship.state, error, error_size))
        return false;
    ship->shippers[ship->count] = shipper_start(&settings, error, error_size);
    if (ship->shippers[ship->count] == NULL)
        return false;
    ship->count++;
    log_event(LOG_INFO, "ship", "the journal is shipped by %s", kind->name);
    return true;
}

struct ship *ship_start(const struct config *config, struct journal *journal, char *error, size_t error_size)
{
    struct ship *ship = calloc(1, sizeof *ship);

    if (ship == NULL || pthread_mutex_init(&ship->lock, NULL) != 0) {
        (void)snprintf(error, error_size, "memory is out");
        free(ship);
        return NULL;
    }
    ship->journal = journal;
    for (size_t i = 0; i < KINDS; i++)
        if (kinds[i]->wanted(config) && !start(ship, config, kinds[i], error, error_size)) {
            ship_free(ship);
            return NULL;
        }
    return ship;
}

bool ship_reload(struct ship *ship, char *error, size_t error_size)
{
    bool reloaded = true;
    char fault[256];

    for (size_t i = 0; ship != NULL && i < ship->count; i++)
        if (!shipper_reload(ship->shippers[i], fault, sizeof fault)) {
            (void)snprintf(error, error_size, "ship.ca_file: %s", fault);
            reloaded = false;
        }
    return reloaded;
}

void ship_leave(struct ship *ship)
{
    if (ship == NULL)
        return;
    pthread_mutex_lock(&ship->lock);
    ask(ship);
    ship->journal = NULL;
    pthread_mutex_unlock(&ship->lock);
}

void ship_free(struct ship *ship)
{
    if (ship == NULL)
        return;
    for (size_t i = 0; i < ship->count; i++)
        shipper_stop(ship->shippers[i], STOP_US);
    for (size_t i = 0; i < ship->count; i++)
        shipper_free(ship->shippers[i]);
    pthread_mutex_destroy(&ship->lock);
    free(ship);
}

struct figures {
    uint64_t durable;
    struct shipper_status status;
};

static uint64_t lag(const struct figures *figures)
{
    return figures->durable > figures->status.seq ? figures->durable - figures->status.seq : 0;
}

static uint64_t records(const struct figures *figures)
{
    return figures->status.records;
}

static uint64_t errors(const struct figures *figures)
{
    return figures->status.errors;
}

static uint64_t missing(const struct figures *figures)
{
    return figures->status.missing;
}

static uint64_t last_success(const struct figures *figures)
{
    return (uint64_t)figures->status.last_success_us / 1000000;
}

/* What there is to say of each destination. */
static void take_figures(struct ship *ship, struct figures figures[static KINDS])
{
    uint64_t size = durable(ship);

    for (size_t i = 0; i < ship->count; i++) {
        figures[i].durable = size != UINT64_MAX ? size : ship->durable;
        shipper_status(ship->shippers[i], &figures[i].status);
    }
}

size_t ship_lags(struct ship *ship, struct ship_lag lags[static SHIP_DESTINATIONS])
{
    struct figures figures[KINDS];

    if (ship == NULL)
        return 0;
    take_figures(ship, figures);
    for (size_t i = 0; i < ship->count; i++)
        lags[i] = (struct ship_lag){figures[i].status.name, lag(&figures[i])};
    return ship->count;
}

void ship_write(struct ship *ship, struct text *page)
{
    static const struct {
        const char *name, *kind, *help;
        uint64_t (*value)(const struct figures *figures);
    } rows[] = {
        {"ship_lag_records", "gauge", "Durable records that the destination does not have yet", lag},
        {"ship_records_total", "counter", "Records that the destination took", records},
        {"ship_errors_total", "counter", "Attempts to ship that failed", errors},
        {"ship_missing_total", "counter", "Records that were removed before they were shipped", missing},
        {"ship_last_success_time_seconds", "gauge",
         "When the destination last took a record, since the epoch", last_success},
    };
    struct figures figures[KINDS];

    if (ship == NULL || ship->count == 0)
        return;
    take_figures(ship, figures);
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        exposition_family(page, rows[row].name, rows[row].kind, rows[row].help);
        for (size_t i = 0; i < ship->count; i++) {
            exposition_name(page, rows[row].name);
            exposition_label(page, true, "destination", span_of(figures[i].status.name));
            exposition_value(page, true, rows[row].value(&figures[i]), 1);
        }
    }
}
