/* The audit journal: append-only JSON lines, the one source of truth for what was changed through the gate.
 *
 * One writer thread owns the file. Event loops push whole records to a bounded queue; the writer takes all
 * that wait, gives each its sequence number, writes them with one writev, makes them durable with one
 * fdatasync, and tells each loop through its eventfd. A failed write or sync is final for that file: the
 * journal is then `broken`, mutations are refused, and the writer tries a new segment from time to time.
 *
 * A record arrives as canonical JSON (RFC 8785 order of members) in two parts between which the writer puts
 * `"seq":N`: see struct record. */
#ifndef PROXY_AUDIT_JOURNAL_H
#define PROXY_AUDIT_JOURNAL_H

#include "policies/text.h"

#include <stdint.h>

struct event_base;
struct journal;
struct journal_port; /* one event loop's end of the queue */

struct journal_settings {
    const char *directory;
    unsigned queue;       /* records that may wait */
    size_t segment_bytes; /* a new segment begins beyond this size; 0: never */
};

/* Opens the directory (made when missing, 0700), takes its lock, finds the last segment and continues the
 * sequence in a new one. An incomplete last line is what a crash leaves: it is cut off into a side file and
 * recorded; damage before it refuses to open. NULL with a message in error[] that says where and what to do.
 */
struct journal *journal_open(const struct journal_settings *settings, char *error, size_t error_size);

/* Writes what is queued, stops the writer, lets the lock go, frees. All ports must be closed before. */
void journal_close(struct journal *journal);

/* A port for one event loop; its callbacks run in that loop. NULL when memory or descriptors are out. */
struct journal_port *journal_port_new(struct journal *journal, struct event_base *base);
/* No callback runs after this; records pushed before are still written. */
void journal_port_free(struct journal_port *port);

/* One record. `head` and `tail` are the JSON text before and behind the member `seq`: "{…\"rule\":…," and
 * ",\"stage\":…}". */
struct record {
    struct text head, tail;
    bool owed; /* ends what an earlier record began (an outcome): taken even when the queue is full, since
                  there is at most one for each intent taken */
};

/* `durable`: the record is on disk. Otherwise it must be taken for lost; the journal counts it as missed
 * itself. */
typedef void journal_done(void *arg, bool durable);

/* Queues the record; its texts are taken over and the struct emptied. Calls done(arg) later, in the port's
 * loop, never from within; `done` may be NULL. Returns false (and takes over nothing) when the queue is full
 * or the journal is broken: the caller then refuses a mutation, or counts what it could not record with
 * journal_missed. */
bool journal_append(struct journal_port *port, struct record *record, journal_done *done, void *arg);

/* Like done = NULL for an `arg` whose callback has not run yet: its owner goes away. */
void journal_forget(struct journal_port *port, void *arg);

/* Counts records that could not be written (refusals while broken); the count is itself recorded when the
 * journal is back. */
void journal_missed(struct journal *journal, unsigned long count);

/* May mutations be forwarded? And if not, why (static or stable text)? Any thread. */
bool journal_usable(const struct journal *journal, const char **why);

#endif
