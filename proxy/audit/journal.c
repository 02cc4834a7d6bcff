#include "proxy/audit/journal_internal.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define RETRY_MS 1000

static bool init_sync(struct journal *journal)
{
    pthread_condattr_t attributes;
    bool made;

    if (pthread_mutex_init(&journal->lock, NULL) != 0)
        return false;
    if (pthread_condattr_init(&attributes) == 0) {
        made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
               pthread_cond_init(&journal->wake, &attributes) == 0;
        pthread_condattr_destroy(&attributes);
        if (made)
            return true;
    }
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
    if (started)
        (void)pthread_setname_np(journal->thread, "journal");
    return started;
}

/* Frees what journal_open made; the thread must have ended. */
static void dispose(struct journal *journal)
{
    segment_close(journal->segment);
    directory_close(&journal->directory);
    intents_free(&journal->unsent);
    entry_list_free(&journal->queue);
    pthread_cond_destroy(&journal->wake);
    pthread_mutex_destroy(&journal->lock);
    free(journal);
}

struct journal *journal_open_with(const struct journal_settings *settings, const struct journal_io *io,
                                  unsigned retry_ms, char *error, size_t error_size)
{
    struct journal *journal = calloc(1, sizeof *journal);
    struct recovery recovery;
    const char *why;

    if (journal == NULL || !init_sync(journal)) {
        free(journal);
        snprintf(error, error_size, "%s: out of memory", settings->directory);
        return NULL;
    }
    journal->queue_limit = settings->queue;
    journal->segment_bytes = settings->segment_bytes;
    journal->io = io;
    journal->retry_ms = retry_ms;
    journal->directory = (struct directory){.fd = -1, .lock = -1};
    STAILQ_INIT(&journal->queue);

    if (!directory_open(&journal->directory, settings->directory, error, error_size) ||
        !recovery_read(&journal->directory, &recovery, error, error_size))
        goto failed;
    journal->run = journal->next_seq = recovery.next_seq;
    why = writer_start(journal, &recovery.records);
    if (why != NULL) {
        snprintf(error, error_size, "%s: cannot begin a segment: %s", settings->directory, why);
        goto failed;
    }
    if (!start_thread(journal)) {
        snprintf(error, error_size, "%s: cannot start the writer's thread", settings->directory);
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
    pthread_cond_signal(&journal->wake);
    pthread_mutex_unlock(&journal->lock);
}

bool journal_usable(const struct journal *journal, const char **why)
{
    const char *trouble = atomic_load(&journal->trouble);

    if (why != NULL)
        *why = trouble;
    return trouble == NULL;
}
