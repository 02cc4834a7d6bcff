#include "proxy/audit/journal_internal.h"
#include "proxy/clock.h"
#include "proxy/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define FORMAT 1 /* of the segments */

/* What the writer took from the others. */
struct work {
    struct entry_list batch;
    unsigned long missed;
    bool stopping;
};

static bool add_header(struct journal *journal, struct entry_list *list)
{
    return entry_add(list, &(struct record_fields){
                               .stage = STAGE_SEGMENT,
                               .time_us = clock_now_us(),
                               .first_seq = record_number(journal->next_seq),
                               .format = record_number(FORMAT),
                               .run = record_number(journal->run),
                           });
}

static bool add_missed(struct entry_list *list, unsigned long count)
{
    return count == 0 || entry_add(list, &(struct record_fields){
                                             .stage = STAGE_MISSED,
                                             .time_us = clock_now_us(),
                                             .count = record_number(count),
                                         });
}

/* A `start` or `stop` record. */
static bool add_mark(struct entry_list *list, enum record_stage stage)
{
    char detail[80];

    snprintf(detail, sizeof detail, "portcullis %s, pid %ld", PORTCULLIS_VERSION, (long)getpid());
    return entry_add(list, &(struct record_fields){
                               .stage = stage,
                               .time_us = clock_now_us(),
                               .detail = span_of(detail),
                           });
}

/* Sets why mutations may not be forwarded (NULL: they may), and logs when that changes. */
static void set_trouble(struct journal *journal, const char *why)
{
    const char *before = atomic_load(&journal->trouble);

    if (before == why || (before != NULL && why != NULL && strcmp(before, why) == 0))
        return;
    atomic_store(&journal->trouble, why);
    if (why == NULL)
        log_event(LOG_INFO, "journal-usable", "%s: mutations are recorded again", journal->directory.path);
    else
        log_event(LOG_ERROR, "journal-unusable", "%s: %s; mutations are refused until this is put right",
                  journal->directory.path, why);
}

/* Begins a segment with a header and the records behind it. NULL, or why it cannot be; the records are freed
 * either way. */
static const char *begin_segment(struct journal *journal, struct entry_list *records)
{
    struct entry_list list = STAILQ_HEAD_INITIALIZER(list);
    struct segment *segment = NULL;
    const char *why = "out of memory";
    const struct entry *entry;

    if (add_header(journal, &list)) {
        STAILQ_CONCAT(&list, records);
        segment = segment_create(journal->io, &journal->directory, journal->next_seq, &list, &why);
    }
    if (segment != NULL) {
        for (entry = STAILQ_FIRST(&list); entry != NULL; entry = STAILQ_NEXT(entry, next))
            journal->next_seq++;
        segment_close(journal->segment);
        journal->segment = segment;
        why = NULL;
    }
    entry_list_free(&list);
    entry_list_free(records);
    return why;
}

const char *writer_start(struct journal *journal, struct entry_list *records)
{
    const char *why;

    if (!intents_init(&journal->unsent) || !add_mark(records, STAGE_START)) {
        entry_list_free(records);
        return "out of memory";
    }
    why = begin_segment(journal, records);
    if (why == NULL)
        set_trouble(journal, segment_reserve(journal->segment));
    return why;
}

/* Remembers the intents among the first `whole` entries: their lines lie in the file that just broke, but
 * their owners are told that they do not, and will send nothing. */
static void remember_unsent(struct journal *journal, const struct entry_list *batch, size_t whole)
{
    const struct entry *entry = STAILQ_FIRST(batch);
    struct iovec parts[RECORD_PARTS];
    char scratch[RECORD_SCRATCH];

    for (size_t i = 0; i < whole && entry != NULL; i++, entry = STAILQ_NEXT(entry, next)) {
        struct text line = {0};

        record_splice(&entry->record, 0, scratch, parts);
        for (int part = 0; part < RECORD_PARTS; part++)
            text_add(&line, parts[part].iov_base, parts[part].iov_len);
        if (line.failed || !intents_note(&journal->unsent, (struct span){line.data, line.length}))
            log_event(LOG_ERROR, "journal-reconcile", "out of memory: an intent stays open in the journal");
        text_free(&line);
    }
}

/* The segment is finished for good: what is in hand and what waits is lost. */
static void give_up(struct journal *journal, const char *fault, struct entry_list *batch, size_t whole)
{
    remember_unsent(journal, batch, whole);
    journal->fault = fault;
    snprintf(journal->broken_file, sizeof journal->broken_file, "%s", segment_file(journal->segment));
    segment_abandon(journal->segment);
    journal->segment = NULL;
    set_trouble(journal, fault);

    pthread_mutex_lock(&journal->lock);
    journal->broken = true;
    STAILQ_CONCAT(batch, &journal->queue);
    journal->queued = 0;
    journal->queued_bytes = 0;
    pthread_mutex_unlock(&journal->lock);
    port_complete(journal, batch, false);
}

/* A new segment when this one is long enough. When that cannot be had the old one is still good. */
static void rotate(struct journal *journal)
{
    struct entry_list none = STAILQ_HEAD_INITIALIZER(none);
    const char *why;

    if (journal->segment_bytes == 0 || segment_size(journal->segment) < journal->segment_bytes ||
        clock_monotonic_us() < journal->rotate_after)
        return;
    why = begin_segment(journal, &none);
    if (why == NULL) {
        journal->rotate_after = 0;
        return;
    }
    if (journal->rotate_after == 0)
        log_event(LOG_WARNING, "journal-rotate",
                  "%s: cannot begin a new segment: %s; going on with the old one", journal->directory.path,
                  why);
    journal->rotate_after = clock_monotonic_us() + (int64_t)journal->retry_ms * 1000;
}

static void put_back_missed(struct journal *journal, unsigned long count)
{
    pthread_mutex_lock(&journal->lock);
    journal->missed += count;
    pthread_mutex_unlock(&journal->lock);
}

/* Writes what is in hand; whoever waits for it is told. */
static void commit(struct journal *journal, struct entry_list *batch, unsigned long missed)
{
    const char *fault;
    size_t whole;

    if (!add_missed(batch, missed)) {
        put_back_missed(journal, missed);
        missed = 0;
    }
    if (!STAILQ_EMPTY(batch)) {
        fault = segment_append(journal->segment, journal->next_seq, batch, &whole);
        journal->next_seq += whole;
        if (fault != NULL) {
            give_up(journal, fault, batch, whole);
            if (missed > 0)
                put_back_missed(journal, missed - 1); /* its record was counted itself */
            return;
        }
        port_complete(journal, batch, true);
        rotate(journal);
    }
    set_trouble(journal, segment_reserve(journal->segment));
}

/* Tries to go on in a new segment, which says what became of the broken one. */
static void restore(struct journal *journal, unsigned long missed)
{
    struct entry_list records = STAILQ_HEAD_INITIALIZER(records);
    const char *why = "out of memory";

    if (entry_add(&records,
                  &(struct record_fields){
                      .stage = STAGE_RECOVERED,
                      .time_us = clock_now_us(),
                      .segment = span_of(journal->broken_file),
                      .detail = span_of(journal->fault),
                  }) &&
        intents_reconcile(&journal->unsent, "not-sent", &records) && add_missed(&records, missed))
        why = begin_segment(journal, &records);
    else
        entry_list_free(&records);

    if (why != NULL) {
        put_back_missed(journal, missed);
        set_trouble(journal, why);
        return;
    }
    json_object_clear(journal->unsent.open);
    pthread_mutex_lock(&journal->lock);
    journal->broken = false;
    pthread_mutex_unlock(&journal->lock);
    set_trouble(journal, segment_reserve(journal->segment));
}

/* Waits for something to do. In trouble that is also the time for another attempt. */
static void take_work(struct journal *journal, struct work *work)
{
    int64_t until = clock_monotonic_us() + (int64_t)journal->retry_ms * 1000;
    struct timespec deadline = {.tv_sec = (time_t)(until / 1000000),
                                .tv_nsec = (long)(until % 1000000) * 1000};
    bool troubled = atomic_load(&journal->trouble) != NULL;
    int result = 0;

    STAILQ_INIT(&work->batch);
    pthread_mutex_lock(&journal->lock);
    while (result != ETIMEDOUT && !journal->stopping &&
           (journal->broken || (journal->queued == 0 && journal->missed == 0)))
        result = troubled ? pthread_cond_timedwait(&journal->wake, &journal->lock, &deadline)
                          : pthread_cond_wait(&journal->wake, &journal->lock);
    STAILQ_CONCAT(&work->batch, &journal->queue);
    work->missed = journal->missed;
    work->stopping = journal->stopping;
    journal->queued = 0;
    journal->queued_bytes = 0;
    journal->missed = 0;
    pthread_mutex_unlock(&journal->lock);
}

/* The last words. What cannot be written now is lost, and said in the log. */
static void stop(struct journal *journal)
{
    struct entry_list last = STAILQ_HEAD_INITIALIZER(last);

    if (journal->segment != NULL && add_mark(&last, STAGE_STOP))
        commit(journal, &last, journal->missed);
    entry_list_free(&last);
    if (journal->segment == NULL)
        log_event(LOG_ERROR, "journal-stop", "%s: stopped while unusable; %lu records are lost",
                  journal->directory.path, journal->missed);
}

void *writer_run(void *arg)
{
    struct journal *journal = arg;
    struct work work;

    do {
        take_work(journal, &work);
        if (journal->segment == NULL)
            restore(journal, work.missed);
        else
            commit(journal, &work.batch, work.missed);
    } while (!work.stopping);
    stop(journal);
    return NULL;
}
