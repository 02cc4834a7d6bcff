#include "proxy/audit/journal_internal.h"
#include "proxy/audit/vouched.h"
#include "proxy/base/clock.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RETRY_MS 1000

static bool init_sync(struct journal *journal)
{
    pthread_condattr_t attributes;
    bool made;

    if (pthread_mutex_init(&journal->lock, NULL) != 0)
        return false;
    if (pthread_mutex_init(&journal->claims_lock, NULL) != 0) {
        pthread_mutex_destroy(&journal->lock);
        return false;
    }
    if (pthread_condattr_init(&attributes) == 0) {
        made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
               pthread_cond_init(&journal->wake, &attributes) == 0;
        pthread_condattr_destroy(&attributes);
        if (made)
            return true;
    }
    pthread_mutex_destroy(&journal->claims_lock);
    pthread_mutex_destroy(&journal->lock);
    return false;
}

/* The writer takes no signals: they are the control thread's. */
static bool start_thread(struct journal *journal)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&journal->thread, NULL, writer_run, journal) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

/* Frees what journal_open made; the thread must have ended. */
static void dispose(struct journal *journal)
{
    opening_undo(journal);
    json_decref(journal->inherited);
    entry_list_free(&journal->queue);
    entry_list_free(&journal->kept);
    entry_list_free(&journal->waiting);
    entry_list_free(&journal->hopeful);
    pthread_cond_destroy(&journal->wake);
    pthread_mutex_destroy(&journal->claims_lock);
    pthread_mutex_destroy(&journal->lock);
    free(journal);
}

static struct journal *make(const struct journal_settings *settings, const struct journal_io *io,
                            unsigned retry_ms)
{
    struct journal *journal = calloc(1, sizeof *journal);

    if (journal == NULL || !init_sync(journal)) {
        free(journal);
        return NULL;
    }
    journal->settings = *settings;
    if (settings->manifest != NULL)
        journal->manifest = *settings->manifest;
    journal->retry_ms = retry_ms;
    journal->home.io = io;
    journal->home.directory = (struct directory){.fd = -1, .lock = -1};
    STAILQ_INIT(&journal->queue);
    STAILQ_INIT(&journal->kept);
    STAILQ_INIT(&journal->waiting);
    STAILQ_INIT(&journal->hopeful);
    journal->broken = true;
    if (settings->await_ms > 0)
        journal->await_until = clock_monotonic_us() + (int64_t)settings->await_ms * 1000;
    return journal;
}

struct journal *journal_open_with(const struct journal_settings *settings, const struct journal_io *io,
                                  unsigned retry_ms, char *error, size_t error_size)
{
    struct journal *journal = make(settings, io, retry_ms);
    const char *passing;

    if (journal == NULL) {
        snprintf(error, error_size, "%s: out of memory", settings->directory);
        return NULL;
    }
    if (!opening_try(journal, &passing, error, error_size)) {
        if (passing == NULL)
            goto failed;
        opening_wait(journal, passing, error);
    }
    if (!start_thread(journal)) {
        snprintf(error, error_size, "%s: cannot start the journal's thread", settings->directory);
        goto failed;
    }
    return journal;

failed:
    dispose(journal);
    return NULL;
}

struct journal *journal_open(const struct journal_settings *settings, char *error, size_t error_size)
{
    return journal_open_with(settings, &journal_io_system, RETRY_MS, error, error_size);
}

void journal_close(struct journal *journal)
{
    if (journal == NULL)
        return;
    pthread_mutex_lock(&journal->lock);
    keeper_hush(journal->keeper);
    journal->stopping = true;
    pthread_cond_signal(&journal->wake);
    pthread_mutex_unlock(&journal->lock);
    pthread_join(journal->thread, NULL);
    dispose(journal);
}

void journal_missed(struct journal *journal, unsigned long count)
{
    pthread_mutex_lock(&journal->lock);
    journal->missed += count;
    journal->status.missed += count;
    pthread_cond_signal(&journal->wake);
    pthread_mutex_unlock(&journal->lock);
}

json_t *journal_take_open(struct journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    json_t *open = journal->inherited;
    journal->inherited = NULL;
    pthread_mutex_unlock(&journal->lock);
    return open;
}

bool journal_take_manifest(struct journal *journal, const struct manifest *manifest, char *error,
                           size_t error_size)
{
    pthread_mutex_lock(&journal->lock);
    bool taken = manifest->serial == 0 || vouched_may_follow(&journal->manifest, manifest, error, error_size);
    if (taken && manifest->serial != 0)
        journal->manifest = *manifest;
    pthread_mutex_unlock(&journal->lock);
    return taken;
}

bool journal_usable(const struct journal *journal, const char **why)
{
    const char *trouble = atomic_load(&journal->trouble);

    if (why != NULL)
        *why = trouble;
    return trouble == NULL;
}

void journal_status(struct journal *journal, struct journal_status *status)
{
    struct keeper_status keeper = {0};

    pthread_mutex_lock(&journal->lock);
    if (journal->keeper != NULL)
        keeper_status(journal->keeper, &keeper);
    *status = journal->status;
    status->queued = journal->queued + journal->kept_count;
    pthread_mutex_unlock(&journal->lock);
    (void)journal_usable(journal, &status->why);
    status->checkpoint_size = keeper.size;
    status->checkpoint_time_us = keeper.time_us;
    status->checkpoints = keeper.written;
    status->checkpoint_failures = keeper.failures;
    status->witness_failures = keeper.witness_failures;
    status->segments_removed = keeper.removed;
}
