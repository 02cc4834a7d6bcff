#include "proxy/audit/keeper.h"

#include "proxy/audit/journal_internal.h"
#include "proxy/audit/retention.h"
#include "proxy/audit/witness.h"
#include "proxy/base/clock.h"
#include "proxy/base/fault_point.h"
#include "proxy/base/log.h"

#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define SECOND_US      1000000LL
#define DAY_US         (86400 * SECOND_US)
#define LOOK_US        (3600 * SECOND_US) /* between looks for old segments */
#define RECORD_TICK_US 50000              /* while a removal's record is waited for: how often to look up */
#define NEVER          INT64_MAX

struct keeper {
    struct keeper_settings settings;
    struct witness *witness; /* NULL: none */
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* Under the lock: */
    struct tree tree; /* all of it is durable */
    bool wanted;      /* a checkpoint at once */
    bool hushed, stopping;
    struct keeper_status status;

    /* The thread's alone; monotonic: */
    int64_t last_us;  /* the last checkpoint */
    int64_t retry_us; /* after a failure: not before */
    int64_t look_us;  /* for old segments, NEVER until the journal is open: a removal is recorded first */
};

/* When the next checkpoint is due; under the lock. */
static int64_t checkpoint_due(const struct keeper *keeper)
{
    const struct keeper_settings *settings = &keeper->settings;
    uint64_t new_lines = keeper->tree.size - keeper->status.size;
    int64_t due = NEVER;

    if (new_lines == 0)
        return NEVER;
    if (keeper->wanted || (settings->records != 0 && new_lines >= settings->records))
        due = 0;
    else if (settings->seconds != 0)
        due = keeper->last_us + (int64_t)settings->seconds * SECOND_US;
    return due < keeper->retry_us ? keeper->retry_us : due;
}

/* Signs the tree and puts the checkpoint in its place. NULL, or why it cannot be. */
static const char *write_checkpoint(struct keeper *keeper, const struct tree *tree, struct text *note)
{
    const struct keeper_settings *settings = &keeper->settings;
    struct tree_hash root = tree_root(tree);
    struct text text = {0};
    const char *why = "it cannot be signed";

    checkpoint_write(note_signer_key(settings->signer)->name, tree->size, &root, &text);
    if (!text.failed && note_sign(settings->signer, (struct span){text.data, text.length}, note))
        why = checkpoints_write(settings->directory, settings->io, tree->size,
                                (struct span){note->data, note->length});
    text_free(&text);
    return why;
}

/* Tries to write the checkpoint that is due. */
static void do_checkpoint(struct keeper *keeper)
{
    struct text note = {0};
    struct tree tree;

    pthread_mutex_lock(&keeper->lock);
    tree = keeper->tree;
    pthread_mutex_unlock(&keeper->lock);

    const char *why = write_checkpoint(keeper, &tree, &note);
    int64_t now = clock_monotonic_us();

    pthread_mutex_lock(&keeper->lock);
    bool first_failure = why != NULL && keeper->retry_us == 0;
    if (why == NULL) {
        keeper->status.size = tree.size;
        keeper->status.time_us = clock_now_us();
        keeper->status.written++;
        keeper->wanted = false;
        keeper->last_us = now;
        keeper->retry_us = 0;
    } else {
        keeper->status.failures++;
        keeper->retry_us = now + (int64_t)keeper->settings.retry_ms * 1000;
    }
    pthread_mutex_unlock(&keeper->lock);

    if (first_failure)
        log_event(LOG_WARNING, "journal-checkpoint", "%s: cannot write a checkpoint: %s; trying again",
                  keeper->settings.directory->path, why);
    if (why == NULL && keeper->witness != NULL)
        witness_give(keeper->witness, tree.size, &note);
    text_free(&note);
}

struct told {
    bool done, durable;
};

static void on_recorded(void *arg, bool durable)
{
    struct told *told = arg;

    told->done = true;
    told->durable = durable;
}

static bool is_hushed(struct keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    bool hushed = keeper->hushed;
    pthread_mutex_unlock(&keeper->lock);
    return hushed;
}

/* Puts a record into the journal and waits until it is durable. */
static bool record_durably(struct keeper *keeper, struct record *record)
{
    struct event_base *base = event_base_new();
    struct journal_port *port = base != NULL ? journal_port_new(keeper->settings.journal, base) : NULL;
    struct told told = {.done = port == NULL || !journal_append(port, record, on_recorded, &told)};

    while (!told.done && !is_hushed(keeper)) {
        struct timeval tick = {.tv_usec = RECORD_TICK_US};

        (void)event_base_loopexit(base, &tick);
        (void)event_base_loop(base, EVLOOP_ONCE);
    }
    journal_port_free(port);
    if (base != NULL)
        event_base_free(base);
    return told.durable;
}

/* Removes one segment that may go. */
static bool remove_one(struct keeper *keeper, const struct removal *removal)
{
    struct record record = {0};
    const char *why = "the removal cannot be recorded";

    FAULT_POINT("removal-before-record");
    if (retention_record(removal, &record) && record_durably(keeper, &record)) {
        FAULT_POINT("removal-after-record");
        why = retention_remove(keeper->settings.directory, removal);
    }
    record_free(&record);
    if (why != NULL) {
        log_event(LOG_WARNING, "journal-remove", "%s/%s: %s", keeper->settings.directory->path,
                  removal->name.text, why);
        return false;
    }
    log_event(LOG_INFO, "journal-remove", "%s/%s: removed: it ended more than %u days ago",
              keeper->settings.directory->path, removal->name.text, keeper->settings.keep_days);
    pthread_mutex_lock(&keeper->lock);
    keeper->status.removed++;
    pthread_mutex_unlock(&keeper->lock);
    return true;
}

/* Removes what is too old. */
static void do_removals(struct keeper *keeper)
{
    const struct keeper_settings *settings = &keeper->settings;
    int64_t now = clock_now_us(), before = now - (int64_t)settings->keep_days * DAY_US;
    int64_t claimed =
        journal_claims_since(settings->journal, now); /* what something in force rests on stays */
    struct removal removal;
    char why[RETENTION_WHY] = "";
    bool removed = true;

    before = claimed < before ? claimed : before;
    while (removed && !is_hushed(keeper))
        removed = retention_look(settings->directory, note_signer_key(settings->signer), before, &removal,
                                 why) == RETENTION_REMOVE &&
                  remove_one(keeper, &removal);
    if (why[0] != '\0')
        log_event(LOG_WARNING, "journal-remove", "cannot remove an old segment: %s", why);
    pthread_mutex_lock(&keeper->lock);
    keeper->look_us = clock_monotonic_us() + LOOK_US;
    pthread_mutex_unlock(&keeper->lock);
}

/* Sleeps until the time, or until something happens; under the lock. */
static void sleep_until(struct keeper *keeper, int64_t until)
{
    const struct timespec deadline = {.tv_sec = (time_t)(until / SECOND_US),
                                      .tv_nsec = (long)(until % SECOND_US) * 1000};

    if (until == NEVER)
        (void)pthread_cond_wait(&keeper->wake, &keeper->lock);
    else
        (void)pthread_cond_timedwait(&keeper->wake, &keeper->lock, &deadline);
}

/* Waits for something to do. Returns with `true` and what it is; false: nothing any more. */
static bool wait_for_work(struct keeper *keeper, bool *checkpoint)
{
    bool more = true;

    pthread_mutex_lock(&keeper->lock);
    for (;;) {
        int64_t now = clock_monotonic_us(), due = checkpoint_due(keeper);
        int64_t look = keeper->settings.keep_days == 0 || keeper->hushed ? NEVER : keeper->look_us;

        more = !keeper->stopping;
        *checkpoint = now >= due;
        if (!more || now >= due || now >= look)
            break;
        sleep_until(keeper, due < look ? due : look);
    }
    pthread_mutex_unlock(&keeper->lock);
    return more;
}

static void *run(void *arg)
{
    struct keeper *keeper = arg;
    bool checkpoint;

    (void)pthread_setname_np(pthread_self(), "keeper");
    while (wait_for_work(keeper, &checkpoint))
        if (checkpoint)
            do_checkpoint(keeper);
        else
            do_removals(keeper);
    if (keeper->tree.size > keeper->status.size)
        do_checkpoint(keeper);
    return NULL;
}

static bool init_sync(struct keeper *keeper)
{
    pthread_condattr_t attributes;

    /* None of these can fail on Linux but for want of memory. */
    if (pthread_mutex_init(&keeper->lock, NULL) != 0 || pthread_condattr_init(&attributes) != 0)
        return false;
    bool made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&keeper->wake, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    return made;
}

static bool start_thread(struct keeper *keeper)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&keeper->thread, NULL, run, keeper) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

struct keeper *keeper_start(const struct keeper_settings *settings, const struct tree *tree)
{
    struct keeper *keeper = calloc(1, sizeof *keeper);

    if (keeper == NULL || !init_sync(keeper)) {
        free(keeper);
        return NULL;
    }
    keeper->settings = *settings;
    keeper->tree = *tree;
    keeper->wanted = true;
    keeper->last_us = clock_monotonic_us();
    keeper->look_us = NEVER;
    if (settings->command != NULL) {
        keeper->witness = witness_start(
            &(struct witness_settings){settings->directory, settings->io, note_signer_key(settings->signer),
                                       settings->command, settings->command_timeout_ms});
        if (keeper->witness == NULL)
            goto failed;
    }
    if (start_thread(keeper))
        return keeper;

failed:
    witness_stop(keeper->witness);
    pthread_cond_destroy(&keeper->wake);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper);
    return NULL;
}

void keeper_post(struct keeper *keeper, const struct tree *tree, bool now)
{
    pthread_mutex_lock(&keeper->lock);
    int64_t due = checkpoint_due(keeper);
    keeper->tree = *tree;
    keeper->wanted |= now;
    if (checkpoint_due(keeper) < due) /* than it sleeps */
        pthread_cond_signal(&keeper->wake);
    pthread_mutex_unlock(&keeper->lock);
}

void keeper_look(struct keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    keeper->look_us = 0;
    pthread_cond_signal(&keeper->wake);
    pthread_mutex_unlock(&keeper->lock);
}

void keeper_status(struct keeper *keeper, struct keeper_status *status)
{
    pthread_mutex_lock(&keeper->lock);
    *status = keeper->status;
    pthread_mutex_unlock(&keeper->lock);
    if (keeper->witness != NULL)
        status->witness_failures = witness_failures(keeper->witness);
}

void keeper_hush(struct keeper *keeper)
{
    if (keeper == NULL)
        return;
    pthread_mutex_lock(&keeper->lock);
    keeper->hushed = true;
    pthread_mutex_unlock(&keeper->lock);
}

void keeper_stop(struct keeper *keeper)
{
    if (keeper == NULL)
        return;
    pthread_mutex_lock(&keeper->lock);
    keeper->hushed = true;
    keeper->stopping = true;
    pthread_cond_signal(&keeper->wake);
    pthread_mutex_unlock(&keeper->lock);
    pthread_join(keeper->thread, NULL);
    witness_stop(keeper->witness);
    pthread_cond_destroy(&keeper->wake);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper);
}
