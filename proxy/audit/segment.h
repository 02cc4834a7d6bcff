/* One file of the journal, as its writer sees it: whole lines go in, and those that were acknowledged stay
 * in. Internal to proxy/audit; the writer's thread only. */
#ifndef PROXY_AUDIT_SEGMENT_H
#define PROXY_AUDIT_SEGMENT_H

#include "proxy/audit/chain.h"
#include "proxy/audit/directory.h"
#include "proxy/audit/entry.h"
#include "proxy/observe/histogram.h"

#include <sys/uio.h>

/* The calls that can fail on a disk. Tests put their own in; everybody else uses journal_io_system. */
struct journal_io {
    void *arg;
    ssize_t (*write)(void *arg, int fd, const struct iovec *parts, int count); /* writev */
    int (*sync)(void *arg, int fd, bool metadata);                             /* fsync or fdatasync */
    int (*reserve)(void *arg, int fd, off_t from, off_t length);               /* fallocate beyond the end */
    int (*truncate)(void *arg, int fd, off_t length);                          /* ftruncate */
};

extern const struct journal_io journal_io_system;

/* What the segments of one journal share. */
struct segment_home {
    const struct journal_io *io;
    struct directory directory;
    struct histogram syncs; /* that appends waited for: microseconds */
    uint64_t longest_sync_us;
};

/* Space that is kept allocated ahead, so that the outcomes of what is under way find room when the disk is
 * full. */
#define SEGMENT_RESERVE ((off_t)1 << 20)

struct segment;

/* Makes a segment that begins with `entries` (its header first), which continue `chain`. It gets its name
 * only when they are on disk: a crash leaves a whole segment or none. NULL with *why; the chain is then what
 * it was. */
struct segment *segment_create(struct segment_home *home, struct chain *chain,
                               const struct entry_list *entries, const char **why);

/* Appends the entries, makes them durable, and looks whether the file is still the one at its path. NULL when
 * all that is so, and `chain` goes on behind them; otherwise why not: the segment is then finished, the chain
 * what it was, and segment_mend is due. */
const char *segment_append(struct segment *segment, struct chain *chain, const struct entry_list *entries);

/* After a fault: cuts off what was written but not acknowledged, makes that durable, and reads all that was
 * acknowledged once more. NULL when the next segment may begin, and `finding` (SEGMENT_FINDING bytes) says
 * what is wrong with the file all the same ("" for nothing); otherwise why it cannot be mended yet. */
#define SEGMENT_FINDING 160
const char *segment_mend(struct segment *segment, const struct chain *chain,
                         char finding[static SEGMENT_FINDING]);

/* Keeps SEGMENT_RESERVE allocated ahead. NULL, or why there is no room; appending may still succeed. */
const char *segment_reserve(struct segment *segment);

size_t segment_size(const struct segment *segment);
const char *segment_file(const struct segment *segment); /* name without the directory */

/* Gives back what was reserved, syncs, closes, frees. */
void segment_close(struct segment *segment);

/* Closes and frees without touching the file any more. */
void segment_abandon(struct segment *segment);

/* A text for a fault (errno) that lasts as long as the program. */
const char *segment_fault(int fault);

#endif
