#include "proxy/audit/journal_internal.h"
#include "proxy/audit/lines.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

TAILQ_HEAD(siblings, entry);

struct journal_port {
    struct journal *journal;
    struct event *event;        /* on fd */
    struct event *turn;         /* active: the writer is to be woken at the end of the loop's turn */
    int fd;                     /* eventfd: something is in `finished` */
    struct entry_list finished; /* under the journal's lock */

    /* Touched in the loop only: */
    struct entry_list ready;  /* taken from `finished`, being told */
    struct siblings siblings; /* all entries of this port that are not told yet */
    bool dispatching;
    bool closed; /* freed from within a callback: on_wake does the rest */
};

/* Tells one entry's owner. */
static void tell(struct journal_port *port, struct entry *entry)
{
    journal_done *done = entry->done;
    void *arg = entry->arg;
    bool durable = entry->durable;

    TAILQ_REMOVE(&port->siblings, entry, sibling);
    if (entry->claims != NULL && entry->claims->done != NULL)
        entry->claims->done(arg, durable, &entry->claims->verdict);
    entry_free(entry);
    if (done != NULL)
        done(arg, durable);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct journal_port *port = arg;
    struct entry *entry;
    eventfd_t count;

    (void)what;
    (void)eventfd_read(fd, &count);
    pthread_mutex_lock(&port->journal->lock);
    STAILQ_CONCAT(&port->ready, &port->finished);
    pthread_mutex_unlock(&port->journal->lock);

    port->dispatching = true;
    while (!port->closed && (entry = STAILQ_FIRST(&port->ready)) != NULL) {
        STAILQ_REMOVE_HEAD(&port->ready, next);
        tell(port, entry);
    }
    port->dispatching = false;
    if (port->closed)
        free(port);
}

/* Runs behind everything that the loop's turn had to do: the writer gets the turn's records at once, and
 * makes them durable in one go. */
static void on_turn_end(evutil_socket_t fd, short what, void *arg)
{
    struct journal_port *port = arg;

    (void)fd;
    (void)what;
    pthread_cond_signal(&port->journal->wake);
}

struct journal_port *journal_port_new(struct journal *journal, struct event_base *base)
{
    struct journal_port *port = calloc(1, sizeof *port);

    if (port == NULL)
        return NULL;
    port->journal = journal;
    STAILQ_INIT(&port->finished);
    STAILQ_INIT(&port->ready);
    TAILQ_INIT(&port->siblings);
    port->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (port->fd < 0)
        goto failed;
    port->event = event_new(base, port->fd, EV_READ | EV_PERSIST, on_wake, port);
    port->turn = event_new(base, -1, 0, on_turn_end, port);
    if (port->event == NULL || port->turn == NULL || event_add(port->event, NULL) != 0)
        goto failed;
    return port;

failed:
    if (port->event != NULL)
        event_free(port->event);
    if (port->turn != NULL)
        event_free(port->turn);
    if (port->fd >= 0)
        close(port->fd);
    free(port);
    return NULL;
}

void journal_port_free(struct journal_port *port)
{
    struct entry *entry;

    if (port == NULL)
        return;
    event_free(port->event);
    event_free(port->turn);
    pthread_cond_signal(&port->journal->wake); /* in place of the turn's end */

    /* What is finished ends here; what the writer still has becomes nobody's. */
    pthread_mutex_lock(&port->journal->lock);
    STAILQ_CONCAT(&port->ready, &port->finished);
    while ((entry = STAILQ_FIRST(&port->ready)) != NULL) {
        STAILQ_REMOVE_HEAD(&port->ready, next);
        TAILQ_REMOVE(&port->siblings, entry, sibling);
        entry_free(entry);
    }
    for (entry = TAILQ_FIRST(&port->siblings); entry != NULL; entry = TAILQ_NEXT(entry, sibling))
        entry->port = NULL;
    pthread_mutex_unlock(&port->journal->lock);

    close(port->fd);
    if (port->dispatching)
        port->closed = true;
    else
        free(port);
}

bool port_keep(struct journal *journal, struct entry *entry)
{
    struct entry *kept = calloc(1, sizeof *kept);

    if (kept == NULL)
        return false;
    kept->record = entry->record;
    entry->record = (struct record){0};
    entry->kept = true;
    STAILQ_INSERT_TAIL(&journal->kept, kept, next);
    journal->kept_count++;
    return true;
}

enum taken { TAKEN_NOT, TAKEN, TAKEN_KEPT };

/* Has the queue room for a record of that kind? */
static bool has_room(const struct journal *journal, const struct record *record)
{
    unsigned share = record->spare ? 2 : 1;

    return record->owed || record->if_intended ||
           (journal->queued < (journal->settings.queue + share - 1) / share &&
            journal->queued_bytes < QUEUE_BYTES / share);
}

/* Puts the entry in the queue, if there is room. While the journal is broken, what is owed is kept and the
 * entry stays the caller's. */
static enum taken enqueue(struct journal *journal, struct entry *entry)
{
    enum taken taken = TAKEN_NOT;

    pthread_mutex_lock(&journal->lock);
    if (journal->broken && !journal->stopping) {
        if (entry->record.owed && port_keep(journal, entry))
            taken = TAKEN_KEPT;
    } else if (!journal->stopping && has_room(journal, &entry->record)) {
        taken = TAKEN;
        STAILQ_INSERT_TAIL(&journal->queue, entry, next);
        journal->queued_bytes += entry->record.text.length;
        bool first = journal->queued++ == 0;
        if (entry->port != NULL) /* whoever waits has a loop that runs */
            event_active(entry->port->turn, EV_TIMEOUT, 0);
        else if (first)
            pthread_cond_signal(&journal->wake);
    }
    pthread_mutex_unlock(&journal->lock);
    return taken;
}

bool port_submit(struct journal_port *port, struct entry *entry, struct record *record)
{
    struct entry_list back = STAILQ_HEAD_INITIALIZER(back);

    if (record->text.failed || record->text.length == 0 || record->text.length > LINE_BYTES - RECORD_SCRATCH)
        return false;
    entry->record = *record;
    if (entry->port != NULL)
        TAILQ_INSERT_TAIL(&port->siblings, entry, sibling);

    switch (enqueue(port->journal, entry)) {
    case TAKEN_NOT:
        if (entry->port != NULL)
            TAILQ_REMOVE(&port->siblings, entry, sibling);
        entry->record = (struct record){0};
        return false;
    case TAKEN_KEPT: /* nobody waits until the journal is back */
        STAILQ_INSERT_TAIL(&back, entry, next);
        port_complete(port->journal, &back, false);
        break;
    case TAKEN:
        break;
    }
    *record = (struct record){0};
    return true;
}

bool journal_append(struct journal_port *port, struct record *record, journal_done *done, void *arg)
{
    struct entry *entry = calloc(1, sizeof *entry);

    if (entry == NULL)
        return false;
    entry->port = done != NULL ? port : NULL;
    entry->done = done;
    entry->arg = arg;
    if (port_submit(port, entry, record))
        return true;
    free(entry);
    return false;
}

bool journal_when_open(struct journal_port *port, journal_done *done, void *arg)
{
    struct entry_list now = STAILQ_HEAD_INITIALIZER(now);
    struct entry *entry = calloc(1, sizeof *entry);

    if (entry == NULL)
        return false;
    entry->port = port;
    entry->done = done;
    entry->arg = arg;
    TAILQ_INSERT_TAIL(&port->siblings, entry, sibling);
    pthread_mutex_lock(&port->journal->lock);
    bool open = port->journal->open;
    STAILQ_INSERT_TAIL(open ? &now : &port->journal->waiting, entry, next);
    pthread_mutex_unlock(&port->journal->lock);
    port_complete(port->journal, &now, true);
    return true;
}

bool journal_await(struct journal_port *port, journal_done *done, void *arg)
{
    struct journal *journal = port->journal;
    struct entry *entry = calloc(1, sizeof *entry);

    if (entry == NULL)
        return false;
    entry->port = port;
    entry->done = done;
    entry->arg = arg;
    entry->kept = true; /* it holds no record that could be missed */
    pthread_mutex_lock(&journal->lock);
    bool hope = journal->await_until != 0 && !journal->stopping;
    if (hope)
        STAILQ_INSERT_TAIL(&journal->hopeful, entry, next);
    pthread_mutex_unlock(&journal->lock);
    if (hope)
        TAILQ_INSERT_TAIL(&port->siblings, entry, sibling);
    else
        free(entry);
    return hope;
}

void port_release(struct journal *journal, bool open)
{
    struct entry_list hopeful = STAILQ_HEAD_INITIALIZER(hopeful);

    pthread_mutex_lock(&journal->lock);
    journal->await_until = 0;
    STAILQ_CONCAT(&hopeful, &journal->hopeful);
    pthread_mutex_unlock(&journal->lock);
    port_complete(journal, &hopeful, open);
}

void journal_forget(struct journal_port *port, void *arg)
{
    for (struct entry *entry = TAILQ_FIRST(&port->siblings); entry != NULL;
         entry = TAILQ_NEXT(entry, sibling))
        if (entry->arg == arg) {
            entry->done = NULL;
            if (entry->claims != NULL)
                entry->claims->done = NULL;
        }
    pthread_cond_signal(&port->journal->wake); /* the loop may turn no more */
}

void port_complete(struct journal *journal, struct entry_list *entries, bool durable)
{
    struct entry *entry;

    for (entry = STAILQ_FIRST(entries); entry != NULL; entry = STAILQ_NEXT(entry, next)) {
        record_free(&entry->record);
        entry->durable = durable;
    }

    pthread_mutex_lock(&journal->lock);
    while ((entry = STAILQ_FIRST(entries)) != NULL) {
        struct journal_port *port = entry->port;

        STAILQ_REMOVE_HEAD(entries, next);
        journal->missed += !durable && !entry->kept;
        journal->status.missed += !durable && !entry->kept;
        if (port == NULL) {
            entry_free(entry);
            continue;
        }
        bool wake = STAILQ_EMPTY(&port->finished);
        STAILQ_INSERT_TAIL(&port->finished, entry, next);
        if (wake)
            (void)eventfd_write(port->fd, 1);
    }
    pthread_mutex_unlock(&journal->lock);
}
