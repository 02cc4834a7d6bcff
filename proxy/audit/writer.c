#include "proxy/audit/check.h"
#include "proxy/audit/journal_internal.h"
#include "proxy/audit/vouched.h"
#include "proxy/base/clock.h"
#include "proxy/base/fault_point.h"
#include "proxy/base/log.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define NEVER INT64_MAX

/* What the writer took from the others. */
struct work {
    struct entry_list batch;
    unsigned long missed;
    bool stopping;
};

static bool add_header(struct journal *journal, struct entry_list *list)
{
    uint64_t first_seq = chain_next(&journal->chain);
    struct manifest manifest;
    char edge[CHAIN_EDGE];

    chain_write_edge(&journal->chain.tree, edge);
    struct record_fields fields = {
        .stage = STAGE_SEGMENT,
        .time_us = clock_now_us(),
        .edge = span_of(edge),
        .first_seq = record_number(first_seq),
        .format = record_number(SEGMENT_FORMAT),
        .open_from = record_number(unsettled_from(&journal->unsettled, first_seq)),
        .origin = span_of(note_signer_key(journal->signer)->name),
        .run = record_number(journal->run),
        .tree_size = record_number(journal->chain.tree.size),
    };
    pthread_mutex_lock(&journal->lock);
    manifest = journal->manifest;
    pthread_mutex_unlock(&journal->lock);
    vouched_tell(&manifest, &fields);
    return entry_add(list, &fields);
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
        log_event(LOG_INFO, "journal-usable", "%s: changes are recorded again", journal->settings.directory);
    else
        log_event(LOG_ERROR, "journal-unusable", "%s: %s; changes are refused until this is put right",
                  journal->settings.directory, why);
}

/* Takes note of the mutations that the entries begin and end; their lines are durable and numbered from
 * first_seq. */
static void note_mutations(struct journal *journal, uint64_t first_seq, const struct entry_list *entries)
{
    const struct entry *entry;

    for (entry = STAILQ_FIRST(entries); entry != NULL; entry = STAILQ_NEXT(entry, next), first_seq++)
        if (entry->record.role == RECORD_BEGINS)
            unsettled_begin(&journal->unsettled, entry->record.mutation, first_seq);
        else if (entry->record.role == RECORD_ENDS)
            unsettled_end(&journal->unsettled, entry->record.mutation);
}

/* What journal_status shows of the writer. */
static void publish_status(struct journal *journal)
{
    struct journal_status *status = &journal->status;

    pthread_mutex_lock(&journal->lock);
    snprintf(status->segment, sizeof status->segment, "%s",
             journal->fault == NULL ? segment_file(journal->segment) : "");
    status->tree_size = journal->chain.tree.size;
    status->sync_max_us = journal->home.longest_sync_us;
    pthread_mutex_unlock(&journal->lock);
}

/* Begins a segment with a header and the records behind it. NULL, or why it cannot be; the records are freed
 * either way. */
static const char *begin_segment(struct journal *journal, struct entry_list *records)
{
    struct entry_list list = STAILQ_HEAD_INITIALIZER(list);
    uint64_t first_seq = chain_next(&journal->chain);
    struct segment *segment = NULL;
    const char *why = "out of memory";

    if (add_header(journal, &list) && journal_claims_add_state(journal, &list)) {
        STAILQ_CONCAT(&list, records);
        segment = segment_create(&journal->home, &journal->chain, &list, &why);
    }
    if (segment != NULL) {
        note_mutations(journal, first_seq, &list);
        segment_close(journal->segment);
        journal->segment = segment;
        journal->begun_size = journal->chain.tree.size;
        journal->begun_bytes = segment_size(segment);
        journal->begun_us = clock_monotonic_us();
        journal->rotate_after = 0;
        journal->fault = NULL;
        publish_status(journal);
        why = NULL;
    }
    entry_list_free(&list);
    entry_list_free(records);
    return why;
}

const char *writer_start(struct journal *journal, struct entry_list *records)
{
    if (add_mark(records, STAGE_START))
        return begin_segment(journal, records);
    entry_list_free(records);
    return "out of memory";
}

void writer_announce(struct journal *journal)
{
    set_trouble(journal, segment_reserve(journal->segment));
}

/* Keeps what is owed of the entries: what they tell of has happened. Under the lock. */
static void keep_owed(struct journal *journal, struct entry_list *entries)
{
    struct entry *entry;

    for (entry = STAILQ_FIRST(entries); entry != NULL; entry = STAILQ_NEXT(entry, next))
        if (entry->record.owed)
            (void)port_keep(journal, entry);
}

/* The segment is finished for good: what is in hand and what waits is lost, but for what is owed. */
static void give_up(struct journal *journal, const char *fault, struct entry_list *batch)
{
    journal->fault = fault;
    snprintf(journal->broken_file, sizeof journal->broken_file, "%s", segment_file(journal->segment));
    set_trouble(journal, fault);
    publish_status(journal);

    pthread_mutex_lock(&journal->lock);
    journal->broken = true;
    STAILQ_CONCAT(batch, &journal->queue);
    journal->queued = 0;
    journal->queued_bytes = 0;
    keep_owed(journal, batch);
    pthread_mutex_unlock(&journal->lock);
    port_complete(journal, batch, false);
}

/* When the segment is too old; monotonic. One that holds no more than it began with never is. */
static int64_t old_at(const struct journal *journal)
{
    if (journal->settings.segment_seconds == 0 || journal->fault != NULL ||
        journal->chain.tree.size == journal->begun_size)
        return NEVER;
    int64_t at = journal->begun_us + (int64_t)journal->settings.segment_seconds * 1000000;
    return at < journal->rotate_after ? journal->rotate_after : at;
}

/* One that began long, with much that is claimed, may grow to twice that: else each line would make a new
 * one. */
static bool is_long(const struct journal *journal)
{
    size_t limit = journal->settings.segment_bytes, size = segment_size(journal->segment);

    return limit != 0 && size >= limit && size >= 2 * journal->begun_bytes;
}

/* A new segment when this one is long or old enough. When that cannot be had the old one is still good. */
static void rotate(struct journal *journal)
{
    struct entry_list none = STAILQ_HEAD_INITIALIZER(none);
    int64_t now = clock_monotonic_us();
    const char *why;

    if ((!is_long(journal) && now < old_at(journal)) || now < journal->rotate_after)
        return;
    FAULT_POINT("journal-before-rotation");
    bool first_failure = journal->rotate_after == 0;
    why = begin_segment(journal, &none);
    if (why == NULL) {
        FAULT_POINT("journal-after-rotation");
        keeper_post(journal->keeper, &journal->chain.tree, false);
        return;
    }
    if (first_failure)
        log_event(LOG_WARNING, "journal-rotate",
                  "%s: cannot begin a new segment: %s; going on with the old one",
                  journal->settings.directory, why);
    journal->rotate_after = clock_monotonic_us() + (int64_t)journal->retry_ms * 1000;
}

static void put_back_missed(struct journal *journal, unsigned long count)
{
    pthread_mutex_lock(&journal->lock);
    journal->missed += count;
    pthread_mutex_unlock(&journal->lock);
}

/* A `missed` record of this count was itself lost and so counted: it does not matter, what it said does. */
static void forget_missed_record(struct journal *journal, unsigned long count)
{
    pthread_mutex_lock(&journal->lock);
    journal->missed += count - 1;
    journal->status.missed--;
    pthread_mutex_unlock(&journal->lock);
}

/* Takes from the batch what is made durable at one time. */
static void take_group(struct entry_list *batch, struct entry_list *group)
{
    struct entry *entry;
    size_t bytes = 0;

    STAILQ_INIT(group);
    while ((entry = STAILQ_FIRST(batch)) != NULL) {
        bytes += entry->record.text.length + RECORD_SCRATCH; /* no line is longer */
        if (bytes > CHECK_GROUP && !STAILQ_EMPTY(group))
            break;
        STAILQ_REMOVE_HEAD(batch, next);
        STAILQ_INSERT_TAIL(group, entry, next);
    }
}

/* Makes a group durable but for what is refused what it claims; whoever waits for it is told. NULL, or why it
 * cannot be: the group is then still in the list. */
static const char *commit_group(struct journal *journal, struct entry_list *group)
{
    struct entry_list refused = STAILQ_HEAD_INITIALIZER(refused);
    uint64_t first_seq = chain_next(&journal->chain);
    const char *fault = NULL;

    journal_claims_ask(journal, group, &refused);
    if (!STAILQ_EMPTY(group))
        fault = segment_append(journal->segment, &journal->chain, group);
    if (fault != NULL) {
        journal_claims_give_back(journal, group, &refused);
        STAILQ_CONCAT(group, &refused);
        return fault;
    }
    journal_claims_settle(journal, group);
    port_complete(journal, &refused, false);
    if (STAILQ_EMPTY(group))
        return NULL;
    FAULT_POINT("journal-before-completion");
    histogram_add(&journal->groups, &histogram_counts, chain_next(&journal->chain) - first_seq);
    note_mutations(journal, first_seq, group);
    port_complete(journal, group, true);
    FAULT_POINT("journal-after-completion");
    publish_status(journal);
    keeper_post(journal->keeper, &journal->chain.tree, false);
    return NULL;
}

/* Writes what is in hand, group by group. */
static void commit(struct journal *journal, struct entry_list *batch, unsigned long missed)
{
    struct entry_list group;

    if (!add_missed(batch, missed)) {
        put_back_missed(journal, missed);
        missed = 0;
    }
    while (!STAILQ_EMPTY(batch)) {
        take_group(batch, &group);
        const char *fault = commit_group(journal, &group);
        if (fault != NULL) {
            STAILQ_CONCAT(&group, batch);
            give_up(journal, fault, &group);
            if (missed > 0)
                forget_missed_record(journal, missed);
            return;
        }
    }
    rotate(journal);
    writer_announce(journal);
}

/* Mends the broken segment, as far as that can be. NULL, or why it cannot be yet. */
static const char *mend(struct journal *journal)
{
    const char *why;

    if (journal->segment == NULL)
        return NULL;
    why = segment_mend(journal->segment, &journal->chain, journal->finding);
    if (why != NULL)
        return why;
    segment_abandon(journal->segment);
    journal->segment = NULL;
    if (journal->finding[0] != '\0')
        log_event(LOG_ERROR, "journal-damaged", "%s/%s: %s", journal->settings.directory,
                  journal->broken_file, journal->finding);
    return NULL;
}

static bool add_recovered(const struct journal *journal, struct entry_list *list)
{
    char detail[2 * SEGMENT_FINDING];

    snprintf(detail, sizeof detail, "%s%s%s", journal->fault, journal->finding[0] != '\0' ? "; " : "",
             journal->finding);
    return entry_add(list, &(struct record_fields){
                               .stage = STAGE_RECOVERED,
                               .time_us = clock_now_us(),
                               .segment = span_of(journal->broken_file),
                               .detail = span_of(detail),
                           });
}

/* Tries to open a journal that is not open yet. */
static void try_to_open(struct journal *journal, unsigned long missed)
{
    char error[sizeof journal->told] = "";
    const char *passing;

    put_back_missed(journal, missed); /* their record is the next thing to write */
    if (!opening_try(journal, &passing, error, sizeof error))
        opening_wait(journal, passing, error);
}

/* Tries to go on in a new segment, which says what became of the broken one. */
static void restore(struct journal *journal, unsigned long missed)
{
    struct entry_list records = STAILQ_HEAD_INITIALIZER(records);
    const char *why = mend(journal);

    if (why == NULL && add_recovered(journal, &records) && add_missed(&records, missed))
        why = begin_segment(journal, &records);
    else if (why == NULL)
        why = "out of memory";
    entry_list_free(&records);

    if (why != NULL) {
        put_back_missed(journal, missed);
        set_trouble(journal, why);
        return;
    }
    pthread_mutex_lock(&journal->lock);
    journal->broken = false;
    STAILQ_CONCAT(&journal->queue, &journal->kept); /* the queue is empty while the journal is broken */
    journal->queued = journal->kept_count;
    journal->kept_count = 0;
    pthread_mutex_unlock(&journal->lock);
    keeper_post(journal->keeper, &journal->chain.tree, true);
    writer_announce(journal);
}

/* When there is something to do even if nobody comes: another attempt in trouble, a segment that is too old.
 * Monotonic. */
static int64_t next_duty(const struct journal *journal)
{
    int64_t old = old_at(journal), retry = NEVER;

    if (atomic_load(&journal->trouble) != NULL)
        retry = clock_monotonic_us() + (int64_t)(journal->open ? journal->retry_ms : journal->wait_ms) * 1000;
    return old < retry ? old : retry;
}

/* Whoever else wants the processor goes first: what they have for the journal meanwhile becomes durable in
 * the same go. Where nobody does, this returns at once. Under the lock. */
static void let_others_in(struct journal *journal)
{
    pthread_mutex_unlock(&journal->lock);
    (void)sched_yield();
    pthread_mutex_lock(&journal->lock);
}

/* Waits for something to do. */
static void take_work(struct journal *journal, struct work *work)
{
    int64_t until = next_duty(journal);
    struct timespec deadline = {.tv_sec = (time_t)(until / 1000000),
                                .tv_nsec = (long)(until % 1000000) * 1000};
    int result = 0;

    STAILQ_INIT(&work->batch);
    pthread_mutex_lock(&journal->lock);
    while (result != ETIMEDOUT && !journal->stopping &&
           (journal->broken || (journal->queued == 0 && journal->missed == 0)))
        result = until != NEVER ? pthread_cond_timedwait(&journal->wake, &journal->lock, &deadline)
                                : pthread_cond_wait(&journal->wake, &journal->lock);
    if (journal->queued > 0 && !journal->stopping)
        let_others_in(journal);
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

    pthread_mutex_lock(&journal->lock);
    STAILQ_CONCAT(&last, &journal->queue); /* kept, and the last attempt to go on succeeded */
    journal->queued = 0;
    pthread_mutex_unlock(&journal->lock);
    if (journal->fault == NULL && add_mark(&last, STAGE_STOP))
        commit(journal, &last, journal->missed);
    entry_list_free(&last);
    if (journal->fault != NULL)
        log_event(LOG_ERROR, "journal-stop", "%s: stopped while unusable; %lu records are lost",
                  journal->settings.directory, journal->missed + journal->kept_count);
}

void *writer_run(void *arg)
{
    struct journal *journal = arg;
    struct work work;

    (void)pthread_setname_np(pthread_self(), "journal"); /* to name another one takes a file, and may fail */
    do {
        take_work(journal, &work);
        if (!journal->open)
            try_to_open(journal, work.missed);
        else if (journal->fault != NULL)
            restore(journal, work.missed);
        else
            commit(journal, &work.batch, work.missed);
    } while (!work.stopping);
    stop(journal);
    return NULL;
}
