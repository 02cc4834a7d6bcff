/* One file of the journal, as its writer sees it: whole lines go in, and stay in. Internal to proxy/audit;
 * the writer's thread only. */
#ifndef PROXY_AUDIT_SEGMENT_H
#define PROXY_AUDIT_SEGMENT_H

#include "proxy/audit/directory.h"
#include "proxy/audit/entry.h"

#include <sys/uio.h>

/* The calls that can fail on a disk. Tests put their own in; everybody else uses journal_io_system. */
struct journal_io {
    void *arg;
    ssize_t (*write)(void *arg, int fd, const struct iovec *parts, int count); /* writev */
    int (*sync)(void *arg, int fd, bool metadata);                             /* fsync or fdatasync */
    int (*reserve)(void *arg, int fd, off_t from, off_t length);               /* fallocate beyond the end */
};

extern const struct journal_io journal_io_system;

/* Space that is kept allocated ahead, so that the outcomes of what is under way find room when the disk is
 * full. */
#define SEGMENT_RESERVE ((off_t)1 << 20)

struct segment;

/* Makes a segment that begins with `entries` (its header first; numbered from first_seq). It gets its name
 * only when they are on disk: a crash leaves a whole segment or none. NULL with *why. */
struct segment *segment_create(const struct journal_io *io, const struct directory *directory,
                               uint64_t first_seq, const struct entry_list *entries, const char **why);

/* Appends the entries, numbered from first_seq, makes them durable, and looks whether the file is still the
 * one at its path. NULL when all that is so; otherwise why not: the segment is then finished. *whole is how
 * many of the entries are whole lines of the file, durable or not: their numbers are used up. */
const char *segment_append(struct segment *segment, uint64_t first_seq, const struct entry_list *entries,
                           size_t *whole);

/* Keeps SEGMENT_RESERVE allocated ahead. NULL, or why there is no room; appending may still succeed. */
const char *segment_reserve(struct segment *segment);

size_t segment_size(const struct segment *segment);
const char *segment_file(const struct segment *segment); /* name without the directory */

/* Gives back what was reserved, syncs, closes, frees. */
void segment_close(struct segment *segment);

/* Closes and frees without touching the file any more. */
void segment_abandon(struct segment *segment);

#endif
