#include "proxy/audit/witness.h"

#include "proxy/base/command.h"
#include "proxy/base/log.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

struct witness {
    struct witness_settings settings;
    char **argv; /* with a place for the path before its NULL */
    size_t path_at;
    pthread_t thread;
    atomic_ulong failures;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* Under the lock: */
    struct text note; /* the one that waits; empty: none */
    uint64_t size;
    bool stopping;
};

static void complain(struct witness *witness, const char *path, const char *what)
{
    atomic_fetch_add_explicit(&witness->failures, 1, memory_order_relaxed);
    log_event(LOG_WARNING, "journal-witness", "%s: %s", path, what);
}

/* Is the answer our note with more signatures? NULL, or why it cannot be taken. */
static const char *judge(const struct witness *witness, struct span ours, struct span answer)
{
    struct span text, expected, signatures;
    const char *fault = "";

    if (!note_split(ours, &expected, &signatures, &fault))
        return fault;
    switch (note_verify(answer, witness->settings.key, &text, &fault)) {
    case NOTE_GOOD:
        return span_equal(text, expected) ? NULL : "the command answered with another checkpoint";
    case NOTE_MALFORMED:
        return "the command answered with something that is no signed note";
    case NOTE_NOT_SIGNED_BY_KEY:
    case NOTE_BAD_SIGNATURE:
        break;
    }
    return "the command answered with a note that lacks our own signature";
}

static void hand_on(struct witness *witness, uint64_t size, struct span note)
{
    const struct witness_settings *settings = &witness->settings;
    char name[CHECKPOINT_NAME], fault[COMMAND_FAULT];
    struct text answer = {0};
    const char *why = NULL;

    checkpoints_name(size, name);
    char *path = directory_join(settings->directory, name);
    witness->argv[witness->path_at] = path;
    const struct command command = {witness->argv, note, NOTE_BYTES, settings->timeout_ms};
    if (path == NULL)
        why = segment_fault(ENOMEM);
    else if (!command_run(&command, &answer, fault))
        why = fault;
    else if (answer.length > 0)
        why = judge(witness, note, (struct span){answer.data, answer.length});
    if (why == NULL && answer.length > 0)
        why = checkpoints_write(settings->directory, settings->io, size,
                                (struct span){answer.data, answer.length});
    if (why != NULL)
        complain(witness, path != NULL ? path : name, why);
    text_free(&answer);
    free(path);
}

static void *run(void *arg)
{
    struct witness *witness = arg;

    (void)pthread_setname_np(pthread_self(), "witness");
    pthread_mutex_lock(&witness->lock);
    while (!witness->stopping || witness->note.length > 0) {
        if (witness->note.length == 0) {
            pthread_cond_wait(&witness->wake, &witness->lock);
            continue;
        }
        struct text note = witness->note;
        uint64_t size = witness->size;

        witness->note = (struct text){0};
        pthread_mutex_unlock(&witness->lock);
        hand_on(witness, size, (struct span){note.data, note.length});
        text_free(&note);
        pthread_mutex_lock(&witness->lock);
    }
    pthread_mutex_unlock(&witness->lock);
    return NULL;
}

/* The command with room for one more argument. */
static bool copy_command(struct witness *witness, const char *const *command)
{
    size_t count = 0;

    while (command[count] != NULL)
        count++;
    witness->argv = calloc(count + 2, sizeof *witness->argv);
    if (witness->argv == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        witness->argv[i] = (char *)(uintptr_t)command[i]; /* exec's type is older than const */
    witness->path_at = count;
    return true;
}

static bool start_thread(struct witness *witness)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&witness->thread, NULL, run, witness) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

struct witness *witness_start(const struct witness_settings *settings)
{
    struct witness *witness = calloc(1, sizeof *witness);

    if (witness == NULL)
        return NULL;
    witness->settings = *settings;
    (void)pthread_mutex_init(&witness->lock, NULL); /* these two cannot fail on Linux */
    (void)pthread_cond_init(&witness->wake, NULL);
    if (copy_command(witness, settings->command) && start_thread(witness))
        return witness;
    free(witness->argv);
    free(witness);
    return NULL;
}

void witness_give(struct witness *witness, uint64_t size, struct text *note)
{
    pthread_mutex_lock(&witness->lock);
    text_free(&witness->note);
    witness->note = *note;
    witness->size = size;
    *note = (struct text){0};
    pthread_cond_signal(&witness->wake);
    pthread_mutex_unlock(&witness->lock);
}

unsigned long witness_failures(const struct witness *witness)
{
    return atomic_load_explicit(&witness->failures, memory_order_relaxed);
}

void witness_stop(struct witness *witness)
{
    if (witness == NULL)
        return;
    pthread_mutex_lock(&witness->lock);
    witness->stopping = true;
    pthread_cond_signal(&witness->wake);
    pthread_mutex_unlock(&witness->lock);
    pthread_join(witness->thread, NULL);
    text_free(&witness->note);
    pthread_cond_destroy(&witness->wake);
    pthread_mutex_destroy(&witness->lock);
    free(witness->argv);
    free(witness);
}
