/* Opening a journal: everything from the lock to the first segment, at the gate's start or later. */
#include "proxy/audit/checkpoints.h"
#include "proxy/audit/journal_internal.h"
#include "proxy/audit/vouched.h"
#include "proxy/base/clock.h"
#include "proxy/base/log.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CHECKPOINT_RETRIES 5 /* a checkpoint that failed is tried again after so many of the journal's */
#define COMMAND_TIMEOUT_MS 10000
#define ORIGIN             256 /* bytes of a name, its NUL included: as in struct note_key */

/* The short reason where only the log's message says enough. */
static const char closed[] = "it cannot be opened; the gate's log says why";

/* The journal's name: the setting, or the one that it has, or one made of the machine's. False with a
 * message. */
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

/* Is the signing key the journal's own? A new journal is given it. */
static bool is_own_key(struct journal *journal, const struct note_key *known, const char **passing,
                       char *error, size_t error_size)
{
    const struct directory *directory = &journal->home.directory;
    const struct note_key *key = note_signer_key(journal->signer);

    if (known == NULL) {
        *passing = verifier_write(directory, journal->home.io, key);
        if (*passing != NULL)
            snprintf(error, error_size, "%s/verifier.vkey: cannot write it: %s", directory->path, *passing);
        return *passing == NULL;
    }
    if (memcmp(key->key, known->key, sizeof key->key) == 0)
        return true;
    snprintf(
        error, error_size,
        "%s/verifier.vkey: the signing key is not the one of this journal. Put the right key back; or, if "
        "it was replaced on purpose, rename this file to verifier-%02x%02x%02x%02x.vkey: older checkpoints "
        "are then verified with it",
        directory->path, known->id[0], known->id[1], known->id[2], known->id[3]);
    return false;
}

/* Opens the signing key, and sees that it is the one that the journal is verified with. */
static bool open_signer(struct journal *journal, const char **passing, char *error, size_t error_size)
{
    const struct journal_settings *settings = &journal->settings;
    char origin[ORIGIN];
    struct note_key known;
    bool found;

    *passing = NULL;
    if (!verifier_read(&journal->home.directory, &known, &found, error, error_size) ||
        !choose_origin(settings, found ? &known : NULL, origin, error, error_size))
        return false;
    journal->signer =
        note_signer_open(settings->keys, settings->signing_key, !found, origin, error, error_size);
    return journal->signer != NULL && is_own_key(journal, found ? &known : NULL, passing, error, error_size);
}

static bool make_folder(const struct journal *journal, const char **passing, char *error, size_t error_size)
{
    if (checkpoints_make(&journal->home.directory))
        return true;
    *passing = directory_passing(errno);
    snprintf(error, error_size, "%s/checkpoints: cannot make it: %s", journal->settings.directory,
             segment_fault(errno));
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
    struct keeper *started = keeper_start(&keeper, &journal->chain.tree);

    pthread_mutex_lock(&journal->lock);
    journal->keeper = started;
    pthread_mutex_unlock(&journal->lock);
    return started != NULL;
}

/* What earlier runs left open is still unsettled. */
static void note_open(struct journal *journal, const struct intents *intents)
{
    const char *request_id;
    json_t *intent;

    json_object_foreach (intents->open, request_id, intent) {
        json_int_t seq = json_integer_value(json_object_get(intent, "seq"));

        if (seq > 0)
            unsettled_begin(&journal->unsettled, record_mutation(span_of(request_id)), (uint64_t)seq);
    }
}

/* Is the policy that the gate has no older than the newest that the log knows? Where no manifest is demanded,
 * what the log knows is kept for a gate that demands one again. */
static bool is_vouched(struct journal *journal, const struct manifest *newest, char *error, size_t error_size)
{
    char why[512] = "";

    pthread_mutex_lock(&journal->lock);
    bool right =
        journal->manifest.serial == 0 || vouched_may_follow(newest, &journal->manifest, why, sizeof why);
    if (journal->manifest.serial == 0)
        journal->manifest = *newest;
    pthread_mutex_unlock(&journal->lock);
    if (!right)
        (void)snprintf(error, error_size, "%s: %s", journal->settings.directory, why);
    return right;
}

/* Goes on where the log ends, with a segment of this run. */
static bool go_on(struct journal *journal, struct recovery *recovery, const char **passing, char *error,
                  size_t error_size)
{
    journal->chain = recovery->chain;
    journal->run = chain_next(&recovery->chain);
    note_open(journal, &recovery->intents);
    pthread_mutex_lock(&journal->claims_lock);
    journal->claims = recovery->claims;
    pthread_mutex_unlock(&journal->claims_lock);
    recovery->claims = (struct claims_state){0};
    *passing = writer_start(journal, &recovery->records);
    if (*passing != NULL) {
        snprintf(error, error_size, "%s: cannot begin a segment: %s", journal->settings.directory, *passing);
        return false;
    }
    if (!start_keeper(journal)) {
        *passing = segment_fault(ENOMEM);
        snprintf(error, error_size, "%s: cannot start the journal's keeper", journal->settings.directory);
        return false;
    }
    return true;
}

/* The journal is open: what waited for it goes on. */
static void finish(struct journal *journal, struct recovery *recovery)
{
    struct entry_list waiting = STAILQ_HEAD_INITIALIZER(waiting);

    pthread_mutex_lock(&journal->lock);
    journal->open = true;
    journal->broken = false;
    journal->inherited = recovery->intents.open;
    recovery->intents.open = NULL;
    STAILQ_CONCAT(&journal->queue, &journal->kept); /* the queue is empty while the journal is broken */
    journal->queued = journal->kept_count;
    journal->kept_count = 0;
    STAILQ_CONCAT(&waiting, &journal->waiting);
    pthread_mutex_unlock(&journal->lock);
    writer_announce(journal);
    port_complete(journal, &waiting, true);
    port_release(journal, true);
    keeper_look(journal->keeper);
}

bool opening_try(struct journal *journal, const char **passing, char *error, size_t error_size)
{
    struct directory *directory = &journal->home.directory;
    struct recovery recovery = {0};

    STAILQ_INIT(&recovery.records);
    if (directory_open(directory, journal->settings.directory, passing, error, error_size) &&
        open_signer(journal, passing, error, error_size) &&
        make_folder(journal, passing, error, error_size) &&
        recovery_read(directory, note_signer_key(journal->signer), &recovery, passing, error, error_size) &&
        is_vouched(journal, &recovery.manifest, error, error_size) &&
        go_on(journal, &recovery, passing, error, error_size)) {
        finish(journal, &recovery);
        recovery_free(&recovery);
        return true;
    }
    recovery_free(&recovery);
    opening_undo(journal);
    return false;
}

void opening_undo(struct journal *journal)
{
    struct keeper *keeper = journal->keeper;

    pthread_mutex_lock(&journal->lock);
    journal->keeper = NULL;
    pthread_mutex_unlock(&journal->lock);
    keeper_stop(keeper);
    segment_close(journal->segment);
    journal->segment = NULL;
    note_signer_free(journal->signer);
    journal->signer = NULL;
    directory_close(&journal->home.directory);
    unsettled_free(&journal->unsettled);
    pthread_mutex_lock(&journal->claims_lock); /* workers look at it before the journal is open, too */
    claims_state_free(&journal->claims);
    pthread_mutex_unlock(&journal->claims_lock);
    journal->chain = (struct chain){0};
}

/* Another process lets the journal go soon, as was said. */
static void say_awaited(struct journal *journal)
{
    static const char awaited[] = "awaited";

    if (strcmp(journal->told, awaited) == 0)
        return;
    memcpy(journal->told, awaited, sizeof awaited);
    log_event(LOG_INFO, "journal-awaited",
              "%s: the gate before this one still writes it; changes wait, for %u ms at most",
              journal->settings.directory, journal->settings.await_ms);
}

/* How long to wait after another failure. */
static unsigned longer(unsigned before_ms, unsigned retry_ms)
{
    unsigned wait = before_ms < retry_ms ? retry_ms : 2 * before_ms;

    return wait < retry_ms * CLOSED_TIMES ? wait : retry_ms * CLOSED_TIMES;
}

void opening_wait(struct journal *journal, const char *passing, const char *error)
{
    bool awaited = passing == directory_locked && clock_monotonic_us() < journal->await_until;

    journal->fault = passing != NULL ? passing : closed;
    journal->wait_ms = passing == directory_locked ? journal->retry_ms / LOCKED_SHARE + 1
                                                   : longer(journal->wait_ms, journal->retry_ms);
    atomic_store(&journal->trouble, journal->fault);
    if (awaited) {
        say_awaited(journal);
        return;
    }
    port_release(journal, false);
    if (strcmp(journal->told, error) == 0)
        return;
    snprintf(journal->told, sizeof journal->told, "%s", error);
    log_event(LOG_ERROR, "journal-unusable",
              "%s; changes are refused until this is put right, and the journal is opened then", error);
}
