/* The journal's inside: what the ports (event loops) and the writer (a thread) share. Internal to proxy/audit
 * and its tests. */
#ifndef PROXY_AUDIT_JOURNAL_INTERNAL_H
#define PROXY_AUDIT_JOURNAL_INTERNAL_H

#include "proxy/audit/checkpoint.h"
#include "proxy/audit/claims_state.h"
#include "proxy/audit/keeper.h"
#include "proxy/audit/recovery.h"
#include "proxy/audit/segment.h"
#include "proxy/audit/unsettled.h"
#include "proxy/service/manifest.h"

#include <pthread.h>

/* Bytes of records that may wait, whatever their number: one record more at most. */
#define QUEUE_BYTES ((size_t)64 << 20)

struct journal {
    struct journal_settings settings; /* texts are the caller's */
    unsigned retry_ms;
    pthread_t thread;

    /* Why mutations must not be forwarded; NULL when they may. Set by the writer, read by anyone. */
    _Atomic(const char *) trouble;

    pthread_mutex_t lock;
    pthread_cond_t wake; /* of the writer */
    /* Under the lock: */
    struct entry_list queue;
    unsigned queued;
    size_t queued_bytes;
    unsigned long missed;   /* records lost and not yet told of */
    bool open;              /* lock, log and segment were had; never false again */
    bool broken;            /* nothing is queued while this is so; until it is open, too */
    struct entry_list kept; /* while broken: owed records, nobody's now; written first when that is over */
    unsigned kept_count;
    struct entry_list waiting; /* those who want to be told when it is open */
    struct entry_list hopeful; /* the same, of journal_await: not for ever */
    int64_t await_until;       /* when they are told that it is not; monotonic; 0: nobody is taken any more */
    json_t *inherited;         /* intents of earlier runs without an end, until somebody takes them */
    struct keeper *keeper;     /* NULL until it is open */
    struct manifest manifest;  /* the newest that is known */
    bool stopping;
    struct journal_status status; /* what of it the writer knows, and `missed` */

    /* Changed by the writer only; read by others under its own lock, which is taken inside of no other: */
    pthread_mutex_t claims_lock;
    struct claims_state claims;

    /* The writer's alone (and journal_open's before it starts): */
    struct segment_home home;
    struct note_signer *signer;
    struct histogram groups; /* records made durable at a time */
    struct segment *segment; /* while broken: what is left of it, until it is mended; then NULL */
    struct chain chain;      /* all lines that are durable */
    struct unsettled unsettled;
    uint64_t run;         /* the number that this run began with */
    uint64_t begun_size;  /* of the tree when the segment was begun */
    size_t begun_bytes;   /* of the segment then */
    int64_t begun_us;     /* when; monotonic */
    int64_t rotate_after; /* a failed rotation is tried again then */
    const char *fault;    /* what broke the segment, or is in the way of opening; NULL: neither */
    unsigned wait_ms;     /* until it is tried again to open the journal */
    char told[1024];      /* why that failed, as the log has it */
    char broken_file[SEGMENT_NAME];
    char finding[SEGMENT_FINDING]; /* what mending it showed */
};

/* journal_open with other system calls and another interval between attempts to begin a new segment. */
struct journal *journal_open_with(const struct journal_settings *settings, const struct journal_io *io,
                                  unsigned retry_ms, char *error, size_t error_size);

/* When a journal that could not be opened is tried again: one that another process writes after this share of
 * retry_ms, since it may be let go at any moment; after another fault first after retry_ms, then after twice
 * that, up to so many times: each attempt reads the end of the log. */
#define LOCKED_SHARE 10
#define CLOSED_TIMES 10

/* Tries to open the journal: on success it is open, and whoever waited for that is told. Else all is as it
 * was before, with a message and *passing as directory_open has it. Before the writer's thread runs, or in
 * it. */
bool opening_try(struct journal *journal, const char **passing, char *error, size_t error_size);

/* It could not be opened for now: says so in the log, once, and sets the reason (passing: as opening_try gave
 * it) and when to try again. */
void opening_wait(struct journal *journal, const char *passing, const char *error);

/* Gives back what opening_try got hold of, as far as it came. */
void opening_undo(struct journal *journal);

/* Begins the run's first segment with `records` and a `start` record. NULL, or why it cannot be. Takes the
 * records over either way. */
const char *writer_start(struct journal *journal, struct entry_list *records);

/* The journal takes records: mutations may be forwarded if there is room in reserve. */
void writer_announce(struct journal *journal);

/* The thread (arg is the journal): writes until journal->stopping, then what is left and a `stop` record. */
void *writer_run(void *arg);

/* journal_claims.c, the writer's: looks at what the entries claim, in order, and reserves it; those that are
 * refused move to the other list. Where that trips a breaker, a record of it comes into the list. */
void journal_claims_ask(struct journal *journal, struct entry_list *entries, struct entry_list *refused);

/* journal_claims.c, the writer's: the entries are durable; what they claimed is theirs, and what they end is
 * settled. Or they are not: all that was reserved is given back, and so it is said to all of both lists. */
void journal_claims_settle(struct journal *journal, const struct entry_list *entries);
void journal_claims_give_back(struct journal *journal, const struct entry_list *entries,
                              const struct entry_list *refused);

/* journal_claims.c, the writer's: appends `state` records of all that is claimed. False when memory is out.
 */
bool journal_claims_add_state(struct journal *journal, struct entry_list *list);

/* journal_claims.c: the time of the oldest record that something in force rests on. Any thread. */
int64_t journal_claims_since(struct journal *journal, int64_t now_us);

/* port.c: queues the entry with the record, which is taken over. False: both stay the caller's. */
bool port_submit(struct journal_port *port, struct entry *entry, struct record *record);

/* Tells those who wait in hope; `open`: that it is. */
void port_release(struct journal *journal, bool open);

/* Hands finished entries back: each port's loop is woken, what nobody waits for is freed, what was lost is
 * counted. Takes all of the list. Any thread. */
void port_complete(struct journal *journal, struct entry_list *entries, bool durable);

/* Moves an owed record out of its entry to those that are kept while the journal is broken. False when memory
 * is out. Under the lock. */
bool port_keep(struct journal *journal, struct entry *entry);

#endif
