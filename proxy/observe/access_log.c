#include "proxy/observe/access_log.h"

#include "proxy/base/clock.h"
#include "proxy/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAITING_BYTES   (8ul * 1024 * 1024) /* lines that may wait for the writer */
#define KEPT_BYTES      (256ul * 1024)      /* memory that a batch keeps for the next one */
#define STOP_TIMEOUT_US 5000000             /* how long what is left may take at the end */
#define LOST_INTERVAL_S 60                  /* between two reports of lost lines */

struct access_log {
    char *path; /* NULL: everything is dropped, there is no thread */

    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct text waiting; /* under lock, like all to the next comment */
    unsigned long lost;  /* lines not yet reported */
    unsigned long lost_in_all;
    bool reopen;
    bool stop;
    int64_t give_up_us; /* with `stop`: the moment (monotonic) at which writing ends */

    /* The writer's own. */
    pthread_t writer;
    int descriptor;
    bool in_pieces; /* not a regular file: a write may block, and must not be torn among other writers' */
    bool torn;      /* the last write ended inside a line */
    struct log_limit write_limit, lost_limit; /* on reports of write errors and of lost lines */
};

static bool is_stderr(const struct access_log *log)
{
    return strcmp(log->path, "-") == 0;
}

/* Under the lock. */
static void count_lost(struct access_log *log, unsigned long lines)
{
    log->lost += lines;
    log->lost_in_all += lines;
}

static size_t count_lines(const char *bytes, size_t length)
{
    size_t lines = 0;

    for (const char *end = bytes + length; (bytes = memchr(bytes, '\n', (size_t)(end - bytes))) != NULL;
         bytes++)
        lines++;
    return lines;
}

/* Opens the file; the one in use stays when that fails. */
static bool open_file(struct access_log *log)
{
    struct stat status;
    int descriptor = is_stderr(log)
                         ? STDERR_FILENO
                         : open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);

    if (descriptor < 0) {
        log_event(LOG_ERROR, "access-log", "cannot open %s: %s", log->path, strerrordesc_np(errno));
        return false;
    }
    if (log->descriptor > STDERR_FILENO)
        close(log->descriptor);
    log->descriptor = descriptor;
    log->in_pieces = fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode);
    log->torn = false;
    return true;
}

/* How much to write at once. To a pipe, as many whole lines as it takes in one piece: poll() has promised
 * room for that much, so the writer never blocks in write(), where no deadline could end it. */
static size_t next_piece(const struct access_log *log, const char *bytes, size_t length)
{
    if (!log->in_pieces || length <= PIPE_BUF)
        return length;
    const char *end = memrchr(bytes, '\n', PIPE_BUF);
    return end ? (size_t)(end - bytes) + 1 : PIPE_BUF;
}

/* Waits until the descriptor takes something; false when the log is to stop and the time for that is over. */
static bool wait_for_room(struct access_log *log)
{
    struct pollfd poller = {.fd = log->descriptor, .events = POLLOUT};

    while (poll(&poller, 1, 100) == 0) {
        pthread_mutex_lock(&log->lock);
        bool over = log->stop && clock_monotonic_us() >= log->give_up_us;
        pthread_mutex_unlock(&log->lock);
        if (over)
            return false;
    }
    return true; /* or an error, which write() will report */
}

/* Writes; returns how much of it could be. errno says why not all. */
static size_t write_bytes(struct access_log *log, const char *bytes, size_t length)
{
    size_t done = 0;

    while (done < length) {
        errno = ETIMEDOUT;
        if (!wait_for_room(log))
            break;
        ssize_t count = write(log->descriptor, bytes + done, next_piece(log, bytes + done, length - done));
        if (count < 0 && errno != EINTR && errno != EAGAIN)
            break;
        if (count > 0)
            done += (size_t)count;
    }
    return done;
}

static void write_batch(struct access_log *log, const struct text *batch)
{
    if (log->torn && write_bytes(log, "\n", 1) == 1)
        log->torn = false;

    size_t done = log->torn ? 0 : write_bytes(log, batch->data, batch->length);
    if (done == batch->length)
        return;
    int reason = errno;
    unsigned long suppressed, lines = count_lines(batch->data + done, batch->length - done);
    log->torn = log->torn || (done > 0 && batch->data[done - 1] != '\n');
    pthread_mutex_lock(&log->lock);
    count_lost(log, lines);
    pthread_mutex_unlock(&log->lock);
    if (log_allow(&log->write_limit, LOST_INTERVAL_S, &suppressed))
        log_event(LOG_ERROR, "access-log", "cannot write %s: %s", log->path, strerrordesc_np(reason));
}

/* Says how many lines were lost, now and then; `last`: for the last time, so now. */
static void report_lost(struct access_log *log, bool last)
{
    unsigned long suppressed, lost;

    pthread_mutex_lock(&log->lock);
    lost = log->lost;
    bool report = lost > 0 && (log_allow(&log->lost_limit, LOST_INTERVAL_S, &suppressed) || last);
    if (report)
        log->lost = 0;
    pthread_mutex_unlock(&log->lock);
    if (report)
        log_event(LOG_WARNING, "access-log-lost", "lines that were lost: %lu", lost);
}

/* Gives the memory of an uncommonly large batch back. */
static void empty(struct text *batch)
{
    if (batch->capacity > KEPT_BYTES)
        text_free(batch);
    else
        text_clear(batch);
}

/* Waits for something to do and takes it; the memory of the batch before is for what comes next. False when
 * there is nothing more to come. */
static bool take_batch(struct access_log *log, struct text *batch, bool *reopen)
{
    pthread_mutex_lock(&log->lock);
    if (log->waiting.data == NULL) {
        log->waiting = *batch;
        *batch = (struct text){0};
    }
    while (log->waiting.length == 0 && !log->reopen && !log->stop)
        pthread_cond_wait(&log->wake, &log->lock);
    struct text empty_one = *batch;
    *batch = log->waiting;
    log->waiting = empty_one;
    *reopen = log->reopen;
    log->reopen = false;
    bool more = batch->length > 0 || *reopen || !log->stop;
    pthread_mutex_unlock(&log->lock);
    return more;
}

static void *writer_main(void *arg)
{
    struct access_log *log = arg;
    struct text batch = {0};
    bool reopen;

    while (take_batch(log, &batch, &reopen)) {
        if (reopen)
            (void)open_file(log);
        if (batch.length > 0)
            write_batch(log, &batch);
        report_lost(log, false);
        empty(&batch);
    }
    text_free(&batch);
    return NULL;
}

/* Signals are for other threads: a SIGPIPE or SIGXFSZ here is an error of write(). */
static int start_writer(struct access_log *log)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&log->writer, NULL, writer_main, log);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        log_event(LOG_ERROR, "access-log", "cannot start its thread: %s", strerrordesc_np(error));
    return error;
}

static void destroy(struct access_log *log)
{
    if (log->descriptor > STDERR_FILENO)
        close(log->descriptor);
    pthread_mutex_destroy(&log->lock);
    pthread_cond_destroy(&log->wake);
    text_free(&log->waiting);
    free(log->path);
    free(log);
}

struct access_log *access_log_open(const char *path)
{
    struct access_log *log = calloc(1, sizeof *log);

    if (log == NULL) {
        log_event(LOG_ERROR, "access-log", "memory is out");
        return NULL;
    }
    log->descriptor = -1;
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->wake, NULL);
    if (path == NULL)
        return log;
    log->path = strdup(path);
    if (log->path != NULL && open_file(log) && start_writer(log) == 0)
        return log;
    destroy(log);
    return NULL;
}

static void swap(struct text *one, struct text *other)
{
    const struct text text = *one;

    *one = *other;
    *other = text;
}

void access_log_hand(struct access_log *log, struct text *lines)
{
    if (log->path != NULL && lines->length > 0) {
        pthread_mutex_lock(&log->lock);
        size_t before = log->waiting.length;
        bool taken = !lines->failed && lines->length <= WAITING_BYTES - before;
        if (taken && before == 0)
            swap(&log->waiting, lines);
        else if (taken)
            text_add(&log->waiting, lines->data, lines->length);
        if (log->waiting.length == before) {
            log->waiting.failed = false;
            count_lost(log, count_lines(lines->data, lines->length));
        }
        pthread_mutex_unlock(&log->lock);
        pthread_cond_signal(&log->wake); /* not before: the writer would wake and wait for the lock */
    }
    text_clear(lines);
}

unsigned long access_log_lost(struct access_log *log)
{
    pthread_mutex_lock(&log->lock);
    unsigned long lost = log->lost_in_all;
    pthread_mutex_unlock(&log->lock);
    return lost;
}

void access_log_reopen(struct access_log *log)
{
    if (log->path == NULL || is_stderr(log))
        return;
    pthread_mutex_lock(&log->lock);
    log->reopen = true;
    pthread_cond_signal(&log->wake);
    pthread_mutex_unlock(&log->lock);
}

void access_log_close(struct access_log *log)
{
    if (log == NULL)
        return;
    if (log->path != NULL) {
        pthread_mutex_lock(&log->lock);
        log->stop = true;
        log->give_up_us = clock_monotonic_us() + STOP_TIMEOUT_US;
        pthread_cond_signal(&log->wake);
        pthread_mutex_unlock(&log->lock);
        pthread_join(log->writer, NULL);
        report_lost(log, true);
    }
    destroy(log);
}
