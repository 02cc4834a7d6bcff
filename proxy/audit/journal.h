/* The audit journal: append-only JSON lines, the one source of truth for what was changed through the gate.
 *
 * One writer thread owns the file. Event loops push whole records to a bounded queue; the writer takes all
 * that wait, gives each its sequence number and the hash of the line before it, writes them with one writev,
 * makes them durable with one fdatasync, and tells each loop through its eventfd. A failed write or sync is
 * final for that file: the journal is then `broken`, mutations are refused, what was not acknowledged is cut
 * off, and the writer tries a new segment from time to time.
 *
 * Each line is a leaf of a Merkle tree. A second thread, the keeper, signs the tree's root from time to time
 * (a checkpoint) and removes old segments; the writer never waits for it.
 *
 * A record arrives as canonical JSON (RFC 8785 order of members) with places where the writer puts its own
 * members `prev` and `seq`: see struct record. */
#ifndef PROXY_AUDIT_JOURNAL_H
#define PROXY_AUDIT_JOURNAL_H

#include "policies/text.h"

#include <stdint.h>

struct event_base;
struct json_t;
struct journal;
struct manifest;
struct journal_port; /* one event loop's end of the queue */

/* Texts must outlive the journal. */
struct journal_settings {
    const char *directory;
    const char *keys;            /* directory of the signing key */
    const char *signing_key;     /* another key: a PEM file or "pkcs11:" URI; NULL: the one in `keys` */
    const char *origin;          /* name of the log and its key; NULL: what the journal has, else
                                    "portcullis/<host name>" */
    unsigned queue;              /* records that may wait */
    size_t segment_bytes;        /* a new segment begins beyond this size; 0: never */
    unsigned segment_seconds;    /* or when the segment is that old; 0: never */
    unsigned keep_days;          /* older segments are removed; 0: never */
    unsigned checkpoint_records; /* a checkpoint is signed after that many lines; 0: never for that */
    unsigned checkpoint_seconds; /* or that long after the last one, when there are new lines; 0: never */
    unsigned
        await_ms; /* how long journal_await is worth it while another process holds the lock; 0: not at all */
    const struct manifest *manifest; /* of the policy that the gate starts with; NULL: none is demanded */
    const char *const *checkpoint_command; /* argv, NULL-terminated: is given every checkpoint; NULL: none */
};

/* Opens the directory (made when missing, 0700), takes its lock, finds the last segment, holds it against the
 * newest checkpoint, and continues the sequence in a new one. An incomplete last line is what a crash leaves:
 * it is cut off into a side file and recorded; damage before it, or a checkpoint that does not fit, refuses
 * to open. NULL with a message in error[] that says where and what to do.
 *
 * What may pass by itself is waited for: another process that holds the lock (it is asked for ten times a
 * second, so that one gate can take over from another), a full or read-only disk, an I/O error. The journal
 * is then not open yet: journal_usable says why, what is owed is kept, and the writer opens it when that can
 * be. Should it then find what would have refused to open, it waits for that, too, until somebody has put it
 * right. */
struct journal *journal_open(const struct journal_settings *settings, char *error, size_t error_size);

/* Writes what is queued, stops the writer, lets the lock go, frees. All ports must be closed before. */
void journal_close(struct journal *journal);

/* A port for one event loop; its callbacks run in that loop. NULL when memory or descriptors are out. */
struct journal_port *journal_port_new(struct journal *journal, struct event_base *base);
/* No callback runs after this; records pushed before are still written. */
void journal_port_free(struct journal_port *port);

/* The places in a record's text where the writer puts its own members. */
enum record_cut { RECORD_PREV, RECORD_SEQ, RECORD_CUTS };

/* What a record says of a mutation under way. */
enum record_role { RECORD_PLAIN, RECORD_BEGINS, RECORD_ENDS_UNKNOWN /* somebody has to look */, RECORD_ENDS };

/* Members whose places in the text are kept, for whoever would otherwise read the line again. */
enum record_kept { RECORD_CLAIMS, RECORD_REPLAY, RECORD_REQUEST_ID, RECORD_RESULT, RECORD_KEPT };

/* One record, made by record_build: its whole line, newline included, but for the writer's members. */
struct record {
    struct text text;
    size_t cuts[RECORD_CUTS]; /* offsets into the text, rising; a member follows each */
    struct {
        size_t at, length; /* of the value's JSON; length 0: there is none */
    } kept[RECORD_KEPT];
    int64_t time_us;
    unsigned stage;                   /* enum record_stage */
    unsigned status, upstream_status; /* 0: not said */
    bool sent;                        /* as long as the record does not say that it was not */
    enum record_role role;
    uint64_t mutation; /* for other roles than plain: a number made of the request id */
    bool owed;  /* tells of what has happened: an outcome, a policy in force. Taken even when the queue is
                   full; there is at most one for each intent taken, or for each signal to the gate */
    bool spare; /* nobody is held up for want of it (a read, a refusal): taken only while half of the queue is
                   free, so that whoever may change nothing leaves room for those who may */
    bool if_intended; /* the end of a mutation whose maker does not know yet whether its intent, which claims,
                         came to be: dropped in silence when it did not. Taken even when the queue is full */
};

/* `durable`: the record is on disk. Otherwise it must be taken for lost; the journal counts it as missed
 * itself. */
typedef void journal_done(void *arg, bool durable);

/* Queues the record; its texts are taken over and the struct emptied. Calls done(arg) later, in the port's
 * loop, never from within; `done` may be NULL. Returns false (and takes over nothing) when the queue is full
 * or the journal is broken: the caller then refuses a mutation, or counts what it could not record with
 * journal_missed. What is owed is taken even then and kept until the journal is back; done(arg, false) comes
 * at once, so that nobody waits for that, and it counts as missed only if the gate stops before. */
bool journal_append(struct journal_port *port, struct record *record, journal_done *done, void *arg);

/* Calls done(arg, true) in the port's loop, never from within, once the journal is open: soon, if it is. It
 * may be that this never happens. False when memory is out. */
bool journal_when_open(struct journal_port *port, journal_done *done, void *arg);

/* The intents that earlier runs left without an end, {"<request id>": its record}, which are the caller's
 * from then on: somebody must find out what became of them, and record it (stage `reconciled`). NULL when the
 * journal is not open yet, or they were taken before. Any thread. */
struct json_t *journal_take_open(struct journal *journal);

/* Where the journal cannot be used because the gate before still holds it, and that cannot last much longer:
 * calls done(arg, true) later, in the port's loop, when it is open, or done(arg, false) when the time for
 * that is over (await_ms from journal_open on). False where there is nothing to wait for, or memory is out.
 */
bool journal_await(struct journal_port *port, journal_done *done, void *arg);

/* Like done = NULL for an `arg` whose callback has not run yet: its owner goes away. */
void journal_forget(struct journal_port *port, void *arg);

/* Counts records that could not be written (refusals while broken); the count is itself recorded when the
 * journal is back. */
void journal_missed(struct journal *journal, unsigned long count);

/* May mutations be forwarded? And if not, why (static or stable text)? Any thread. */
bool journal_usable(const struct journal *journal, const char **why);

/* Is a set with this manifest no older than the newest that the log knows? Then it is the newest from now on,
 * and stays so: with serial 0 (none is demanded) nothing changes. False with a message. Any thread. */
bool journal_take_manifest(struct journal *journal, const struct manifest *manifest, char *error,
                           size_t error_size);

/* What the journal says of itself. */
struct journal_status {
    const char *why;            /* mutations must not be forwarded (static text); NULL: they may */
    char segment[40];           /* name of the file being written; "" while broken */
    uint64_t tree_size;         /* durable lines; 0 until the journal is open */
    uint64_t checkpoint_size;   /* lines that the newest checkpoint covers */
    int64_t checkpoint_time_us; /* when it was written, since the epoch; 0: none yet by this run */
    unsigned long checkpoints, checkpoint_failures; /* written, and attempts that failed, by this run */
    unsigned long witness_failures;                 /* the checkpoint command failed or answered wrongly */
    unsigned long segments_removed;
    unsigned queued;      /* records that wait */
    uint64_t sync_max_us; /* longest time that making records durable took */
    unsigned long missed; /* records lost since the start */
};

/* A snapshot. Any thread. */
void journal_status(struct journal *journal, struct journal_status *status);

/* Appends all that to the metrics page, and how long syncs took and how many records each made durable. Any
 * thread. */
void journal_write_metrics(struct journal *journal, struct text *page);

#endif
