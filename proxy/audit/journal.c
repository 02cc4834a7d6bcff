#include "proxy/audit/journal_internal.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RETRY_MS           1000
#define CHECKPOINT_RETRIES 5 /* a checkpoint that failed is tried again after so many of these */
#define COMMAND_TIMEOUT_MS 10000
#define ORIGIN             256 /* bytes of a name, its NUL included: as in struct note_key */

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
    keeper_stop(journal->keeper);
    segment_close(journal->segment);
    note_signer_free(journal->signer);
    directory_close(&journal->home.directory);
    unsettled_free(&journal->unsettled);
    entry_list_free(&journal->queue);
    entry_list_free(&journal->kept);
    pthread_cond_destroy(&journal->wake);
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
    journal->retry_ms = retry_ms;
    journal->home.io = io;
    journal->home.directory = (struct directory){.fd = -1, .lock = -1};
    STAILQ_INIT(&journal->queue);
    STAILQ_INIT(&journal->kept);
    return journal;
}

/* The journal's name: the setting, or the one that it has, or one made of the machine's. False with a
 * message.
 */
static bool choose_origin(const struct journal_settings *settings, const struct note_key *known,
                          char origin[static ORIGIN], char *error, size_t error_size)
{
    char host[HOST_NAME_MAX + 1] = "";

    if (settings->origin != NULL && known != NULL && strcmp(settings->origin, known->name) != 0) {
        snprintf(error, error_size,
                 "%s: this journal's origin is \"%s\" (verifier.vkey), not \"%s\": a journal keeps its name; "
                 "leave audit.origin as it was, or begin a new journal in another directory",
                 settings->directory, known->name, settings->origin);
        return false;
    }
    if (settings->origin != NULL)
        snprintf(origin, ORIGIN, "%s", settings->origin);
    else if (known != NULL)
        snprintf(origin, ORIGIN, "%s", known->name);
    else
        snprintf(origin, ORIGIN, "portcullis/%s",
                 gethostname(host, sizeof host - 1) == 0 && host[0] != '\0' ? host : "localhost");
    return true;
}

/* Opens the signing key, and sees that it is the one that the journal is verified with. */
static bool open_signer(struct journal *journal, char *error, size_t error_size)
{
    const struct journal_settings *settings = &journal->settings;
    const struct directory *directory = &journal->home.directory;
    char origin[ORIGIN];
    struct note_key known;
    bool found;

    if (!verifier_read(directory, &known, &found, error, error_size) ||
        !choose_origin(settings, found ? &known : NULL, origin, error, error_size))
        return false;
    journal->signer = note_signer_open(settings->keys, settings->signing_key, origin, error, error_size);
    if (journal->signer == NULL)
        return false;

    const struct note_key *key = note_signer_key(journal->signer);
    if (!found) {
        const char *why = verifier_write(directory, journal->home.io, key);
        if (why != NULL)
            snprintf(error, error_size, "%s/verifier.vkey: cannot write it: %s", directory->path, why);
        return why == NULL;
    }
    if (memcmp(key->key, known.key, sizeof key->key) == 0)
        return true;
    snprintf(
        error, error_size,
        "%s/verifier.vkey: the signing key is not the one of this journal. Put the right key back; or, if "
        "it was replaced on purpose, rename this file to verifier-%02x%02x%02x%02x.vkey: older checkpoints "
        "are then verified with it",
        directory->path, known.id[0], known.id[1], known.id[2], known.id[3]);
    return false;
}

static bool start_keeper(struct journal *journal)
{
    const struct journal_settings *settings = &journal->settings;
    const struct keeper_settings keeper = {
        .directory = &journal->home.directory,
        .io = journal->home.io,
        .signer = journal->signer,
        .journal = journal,
        .records = settings->checkpoint_records,
        .seconds = settings->checkpoint_seconds,
        .keep_days = settings->keep_days,
        .command = settings->checkpoint_command,
        .command_timeout_ms = COMMAND_TIMEOUT_MS,
        .retry_ms = journal->retry_ms * CHECKPOINT_RETRIES,
    };

    journal->keeper = keeper_start(&keeper, &journal->chain.tree);
    return journal->keeper != NULL;
}

struct journal *journal_open_with(const struct journal_settings *settings, const struct journal_io *io,
                                  unsigned retry_ms, char *error, size_t error_size)
{
    struct journal *journal = make(settings, io, retry_ms);
    struct recovery recovery;
    const char *why;

    if (journal == NULL) {
        snprintf(error, error_size, "%s: out of memory", settings->directory);
        return NULL;
    }
    if (!directory_open(&journal->home.directory, settings->directory, error, error_size) ||
        !open_signer(journal, error, error_size))
        goto failed;
    if (!checkpoints_make(&journal->home.directory)) {
        snprintf(error, error_size, "%s/checkpoints: cannot make it: %s", settings->directory,
                 segment_fault(errno));
        goto failed;
    }
    if (!recovery_read(&journal->home.directory, note_signer_key(journal->signer), &recovery, error,
                       error_size))
        goto failed;
    journal->chain = recovery.chain;
    journal->run = chain_next(&recovery.chain);
    why = writer_start(journal, &recovery.records);
    if (why != NULL) {
        snprintf(error, error_size, "%s: cannot begin a segment: %s", settings->directory, why);
        goto failed;
    }
    if (!start_keeper(journal) || !start_thread(journal)) {
        snprintf(error, error_size, "%s: cannot start the journal's threads", settings->directory);
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
    keeper_hush(journal->keeper);
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
    journal->status.missed += count;
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

void journal_status(struct journal *journal, struct journal_status *status)
{
    struct keeper_status keeper;

    keeper_status(journal->keeper, &keeper);
    pthread_mutex_lock(&journal->lock);
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
