#include "proxy/ship/shipper.h"

#include "proxy/base/clock.h"
#include "proxy/base/entropy.h"
#include "proxy/base/log.h"
#include "proxy/ship/backoff.h"
#include "proxy/ship/feed.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define LOOK_US  100000  /* how often the journal is asked for more */
#define KEEP_US  1000000 /* how often the position is put on disk */
#define REPEAT_S 30      /* how often the same trouble is told */

struct shipper {
    struct shipper_settings settings;
    struct stopping stopping;
    pthread_t thread;

    /* The thread's own: */
    void *destination;
    struct feed *feed;
    struct batch batch;
    struct feed_line held; /* the line that did not go into the batch any more; text.data NULL: none */
    char segment[POSITION_SEGMENT]; /* of the batch: all its lines are of one */
    struct position position;
    char *position_path;
    bool dirty;       /* the position on disk is an older one */
    int64_t kept_at;  /* monotonic: when it was last put there */
    int64_t last_try; /* when a batch was last shipped, or tried to be */
    struct backoff backoff;
    struct entropy entropy;
    struct log_limit limits[3]; /* of each kind of trouble below */

    /* Read by others: */
    _Atomic uint64_t seq;
    _Atomic unsigned long records, errors, missing;
    _Atomic int64_t last_success_us;
};

enum trouble { TROUBLE_SHIP, TROUBLE_READ, TROUBLE_KEEP };

static void tell_trouble(struct shipper *shipper, enum trouble trouble, const char *what, const char *why)
{
    unsigned long held;

    shipper->errors++;
    if (log_allow(&shipper->limits[trouble], REPEAT_S, &held))
        log_event(LOG_WARNING, "ship", "%s: %s: %s; it is tried again (%lu like it were not told)",
                  shipper->settings.destination->name, what, why, held);
}

static void keep_position(struct shipper *shipper, bool now)
{
    int64_t time = clock_monotonic_us();

    if (!shipper->dirty || (!now && time - shipper->kept_at < KEEP_US))
        return;
    shipper->kept_at = time;
    if (position_write(shipper->position_path, &shipper->position))
        shipper->dirty = false;
    else
        tell_trouble(shipper, TROUBLE_KEEP, shipper->position_path, strerrordesc_np(errno));
}

static void tell_missing(struct shipper *shipper, const struct feed_line *line)
{
    shipper->missing += line->missing;
    log_event(LOG_WARNING, "ship",
              "%s: records %" PRIu64 " to %" PRIu64
              " are not in the journal any more; it goes on with %" PRIu64 " in %s",
              shipper->settings.destination->name, line->seq - line->missing, line->seq - 1, line->seq,
              line->segment);
}

/* May the line not join the batch? Its lines follow each other and are of one segment. */
static bool ends_batch(const struct shipper *shipper, const struct feed_line *line)
{
    return batch_is_full(&shipper->batch, line->text.length) ||
           (shipper->batch.count > 0 && (line->missing > 0 || strcmp(line->segment, shipper->segment) != 0));
}

/* True: the line is in the batch. Else it stays held. */
static bool put_line(struct shipper *shipper)
{
    struct feed_line *line = &shipper->held;

    if (ends_batch(shipper, line) || !batch_add(&shipper->batch, line->seq, line->text))
        return false;
    (void)snprintf(shipper->segment, sizeof shipper->segment, "%s", line->segment);
    if (line->missing > 0)
        tell_missing(shipper, line);
    line->text.data = NULL;
    return true;
}

static void tell_other(const struct shipper *shipper)
{
    log_event(LOG_WARNING, "ship",
              "%s: the position in %s is not of this journal: it is shipped from its oldest record on",
              shipper->settings.destination->name, shipper->position_path);
}

/* Fills the batch with what there is. True when it can take no more. */
static bool fill(struct shipper *shipper)
{
    uint64_t durable = shipper->settings.durable(shipper->settings.arg);

    for (;;) {
        if (shipper->held.text.data != NULL && !put_line(shipper))
            return true;
        switch (feed_next(shipper->feed, durable, &shipper->held)) {
        case FEED_LINE:
            break;
        case FEED_OTHER:
            tell_other(shipper);
            break;
        case FEED_WAIT:
            return false;
        case FEED_ERROR:
            tell_trouble(shipper, TROUBLE_READ, "cannot read the journal", feed_error(shipper->feed));
            return false;
        }
    }
}

/* The destination has the lines up to batch.taken. */
static void acknowledge(struct shipper *shipper, size_t before)
{
    struct batch *batch = &shipper->batch;

    if (batch->taken == before)
        return;
    shipper->position.seq = batch->first_seq + batch->taken - 1;
    shipper->position.hash = tree_leaf(batch_line(batch, batch->taken - 1));
    (void)snprintf(shipper->position.segment, sizeof shipper->position.segment, "%s", shipper->segment);
    shipper->dirty = true;
    shipper->seq = shipper->position.seq;
    shipper->records += batch->taken - before;
    shipper->last_success_us = clock_now_us();
}

static void rest(struct shipper *shipper)
{
    char random[9];

    entropy_hex(&shipper->entropy, 4, random);
    unsigned pause = backoff_next(&shipper->backoff, (uint32_t)strtoul(random, NULL, 16));
    keep_position(shipper, true); /* there is time now */
    stopping_sleep(&shipper->stopping, clock_monotonic_us() + (int64_t)pause * 1000);
}

/* False: not all of it was taken. */
static bool ship_batch(struct shipper *shipper)
{
    char why[DESTINATION_WHY] = "";
    size_t before = shipper->batch.taken;
    bool all = shipper->settings.destination->ship(shipper->destination, &shipper->batch, why);

    shipper->last_try = clock_monotonic_us();
    acknowledge(shipper, before);
    if (!all) {
        tell_trouble(shipper, TROUBLE_SHIP, "cannot ship", why);
        return false;
    }
    batch_clear(&shipper->batch);
    if (shipper->backoff.failures > 0)
        log_event(LOG_INFO, "ship", "%s: takes records again, up to %" PRIu64 " now",
                  shipper->settings.destination->name, shipper->position.seq);
    shipper->backoff = (struct backoff){0};
    return true;
}

/* When a batch that is not full may go. */
static int64_t due_at(const struct shipper *shipper)
{
    return shipper->last_try + shipper->settings.destination->linger_us;
}

static void read_position(struct shipper *shipper)
{
    char problem[512];

    if (!position_read(shipper->position_path, &shipper->position, problem, sizeof problem))
        log_event(LOG_WARNING, "ship", "%s: the journal is shipped from its oldest record on: %s",
                  shipper->settings.destination->name, problem);
    shipper->seq = shipper->position.seq;
}

/* Waits until the journal is open: what another process ships before that moves the position. False when it
 * is time to stop. */
static bool begin(struct shipper *shipper)
{
    const char *directory = shipper->settings.config->audit.directory;
    char problem[512];

    for (;;) {
        bool begun = stopping_begun(&shipper->stopping);

        if (shipper->settings.durable(shipper->settings.arg) > 0) {
            read_position(shipper);
            shipper->feed = feed_open(directory, &shipper->position, problem, sizeof problem);
            if (shipper->feed != NULL)
                return true;
            tell_trouble(shipper, TROUBLE_READ, "cannot read the journal", problem);
        }
        if (begun)
            return false;
        stopping_sleep(&shipper->stopping, clock_monotonic_us() + LOOK_US);
    }
}

static void *shipper_main(void *arg)
{
    struct shipper *shipper = arg;
    struct stopping *stopping = &shipper->stopping;

    if (!begin(shipper))
        return NULL;
    while (!stopping_over(stopping)) {
        bool begun = stopping_begun(stopping); /* before the journal is asked: what it had then is shipped */
        bool full = fill(shipper);
        bool due = full || begun || clock_monotonic_us() >= due_at(shipper);

        if (shipper->batch.count > 0 && due) {
            if (ship_batch(shipper))
                keep_position(shipper, false);
            else if (begun)
                break;
            else
                rest(shipper);
        } else if (begun) {
            break;
        } else {
            keep_position(shipper, false);
            stopping_sleep(stopping, clock_monotonic_us() + LOOK_US);
        }
    }
    keep_position(shipper, true);
    return NULL;
}

static bool name_position(struct shipper *shipper, char *error, size_t error_size)
{
    const char *directory = shipper->settings.config->ship.state, *name = shipper->settings.destination->name;

    if (asprintf(&shipper->position_path, "%s/%s.position", directory, name) >= 0)
        return true;
    shipper->position_path = NULL;
    (void)snprintf(error, error_size, "memory is out");
    return false;
}

static bool start_thread(struct shipper *shipper, char *error, size_t error_size)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int fault = pthread_create(&shipper->thread, NULL, shipper_main, shipper);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (fault != 0)
        (void)snprintf(error, error_size, "cannot start a thread: %s", strerrordesc_np(fault));
    return fault == 0;
}

static void dispose(struct shipper *shipper)
{
    shipper->settings.destination->close(shipper->destination);
    feed_free(shipper->feed);
    batch_free(&shipper->batch);
    stopping_close(&shipper->stopping);
    free(shipper->position_path);
    free(shipper);
}

struct shipper *shipper_start(const struct shipper_settings *settings, char *error, size_t error_size)
{
    struct shipper *shipper = calloc(1, sizeof *shipper);

    if (shipper == NULL) {
        (void)snprintf(error, error_size, "memory is out");
        return NULL;
    }
    shipper->settings = *settings;
    if (!stopping_open(&shipper->stopping)) {
        (void)snprintf(error, error_size, "%s", strerrordesc_np(errno));
        goto failed;
    }
    shipper->destination =
        settings->destination->open(settings->config, &shipper->stopping, error, error_size);
    if (shipper->destination == NULL || !name_position(shipper, error, error_size) ||
        !start_thread(shipper, error, error_size))
        goto failed;
    return shipper;

failed:
    dispose(shipper);
    return NULL;
}

bool shipper_reload(struct shipper *shipper, char *error, size_t error_size)
{
    return shipper->settings.destination->reload(shipper->destination, error, error_size);
}

void shipper_stop(struct shipper *shipper, int64_t within_us)
{
    stopping_begin(&shipper->stopping, within_us);
}

void shipper_free(struct shipper *shipper)
{
    if (shipper == NULL)
        return;
    (void)pthread_join(shipper->thread, NULL);
    dispose(shipper);
}

void shipper_status(const struct shipper *shipper, struct shipper_status *status)
{
    *status = (struct shipper_status){
        .name = shipper->settings.destination->name,
        .seq = shipper->seq,
        .records = shipper->records,
        .errors = shipper->errors,
        .missing = shipper->missing,
        .last_success_us = shipper->last_success_us,
    };
}
