#include "proxy/audit/segment.h"

#include "proxy/audit/check.h"
#include "proxy/audit/cut.h"
#include "proxy/base/clock.h"
#include "proxy/base/fault_point.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASSING_NAME    "segment.new"
#define RECORDS_AT_ONCE 32 /* in one call: few enough for what they need to stand on the stack */

struct segment {
    struct segment_home *home;
    int fd;
    uint64_t first_seq;
    char *path;       /* of the file once it has its name */
    const char *file; /* the last part of it */
    off_t size;       /* of what was written and acknowledged */
    off_t written;    /* behind that: what a failed append is known to have written */
    off_t reserved;   /* allocated up to here */
    bool no_reserve;  /* the file system cannot */
    dev_t device;     /* which file it is: while it is open no other one has this number */
    ino_t inode;
};

static ssize_t system_write(void *arg, int fd, const struct iovec *parts, int count)
{
    (void)arg;
    return writev(fd, parts, count);
}

static int system_sync(void *arg, int fd, bool metadata)
{
    (void)arg;
    return metadata ? fsync(fd) : fdatasync(fd);
}

static int system_reserve(void *arg, int fd, off_t from, off_t length)
{
    (void)arg;
    return fallocate(fd, FALLOC_FL_KEEP_SIZE, from, length);
}

static int system_truncate(void *arg, int fd, off_t length)
{
    (void)arg;
    return ftruncate(fd, length);
}

const struct journal_io journal_io_system = {NULL, system_write, system_sync, system_reserve,
                                             system_truncate};

const char *segment_fault(int fault)
{
    const char *text = strerrordesc_np(fault);

    return text != NULL ? text : "unknown error";
}

/* Writes all parts, however many calls that takes. False (errno) on a fault. */
static bool write_parts(struct segment *segment, struct iovec *parts, int count)
{
    const struct journal_io *io = segment->home->io;

    while (count > 0) {
        ssize_t got = io->write(io->arg, segment->fd, parts, count);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            if (got == 0)
                errno = EIO;
            return false;
        }
        segment->written += got;

        size_t left = (size_t)got;
        for (; count > 0 && left >= parts->iov_len; parts++, count--)
            left -= parts->iov_len;
        if (left > 0) {
            parts->iov_base = (char *)parts->iov_base + left;
            parts->iov_len -= left;
        }
    }
    return true;
}

#ifdef FAULT_POINTS
/* In two calls, so that a death between them leaves a half. */
static bool write_chunk(struct segment *segment, struct iovec *parts, int count)
{
    if (!write_parts(segment, parts, count / 2))
        return false;
    FAULT_POINT("journal-mid-write");
    return write_parts(segment, parts + count / 2, count - count / 2);
}
#else
#define write_chunk write_parts
#endif

/* Writes the entries' lines, as many in one call as the system takes; the chain goes on behind them. */
static bool write_entries(struct segment *segment, struct chain *chain, const struct entry_list *entries)
{
    struct iovec parts[RECORDS_AT_ONCE * RECORD_PARTS];
    char scratch[RECORDS_AT_ONCE][RECORD_SCRATCH];
    const struct entry *entry = STAILQ_FIRST(entries);

    while (entry != NULL) {
        size_t count = 0;

        for (; entry != NULL && count < RECORDS_AT_ONCE; entry = STAILQ_NEXT(entry, next), count++) {
            struct iovec *line = &parts[count * RECORD_PARTS];

            (void)record_splice(&entry->record, chain_next(chain), &chain->last, scratch[count], line);
            chain_add_parts(chain, line, RECORD_PARTS);
        }
        FAULT_POINT("journal-before-write");
        if (!write_chunk(segment, parts, (int)(count * RECORD_PARTS)))
            return false;
    }
    return true;
}

/* Makes the file durable; somebody waits for that. */
static int sync_file(struct segment *segment, bool metadata)
{
    struct segment_home *home = segment->home;
    int64_t before = clock_monotonic_us();
    int result = home->io->sync(home->io->arg, segment->fd, metadata);
    int fault = errno;
    uint64_t took = (uint64_t)(clock_monotonic_us() - before);

    histogram_add(&home->syncs, &histogram_durations, took);
    if (took > home->longest_sync_us)
        home->longest_sync_us = took;
    errno = fault;
    return result;
}

/* Cuts off what the failed append wrote, if all that lies there is surely ours. */
static void take_back(struct segment *segment)
{
    const struct journal_io *io = segment->home->io;
    struct stat status;

    if (fstat(segment->fd, &status) == 0 && status.st_size > segment->size &&
        status.st_size <= segment->size + segment->written)
        (void)io->truncate(io->arg, segment->fd, segment->size);
}

/* Is the file still the one at its path, and nobody else's bytes in it? NULL, or what is wrong. */
static const char *inspect(const struct segment *segment)
{
    struct stat status;

    if (stat(segment->path, &status) != 0 || status.st_dev != segment->device ||
        status.st_ino != segment->inode)
        return "the segment was removed or replaced";
    if (status.st_size != segment->size + segment->written)
        return "the segment was changed by another program";
    return NULL;
}

/* Notes which file was made. False (errno) on a fault. */
static bool note_file(struct segment *segment)
{
    struct stat status;

    if (fstat(segment->fd, &status) != 0)
        return false;
    segment->device = status.st_dev;
    segment->inode = status.st_ino;
    return true;
}

const char *segment_append(struct segment *segment, struct chain *chain, const struct entry_list *entries)
{
    struct chain next = *chain;
    const char *fault = NULL;

    segment->written = 0;
    if (!write_entries(segment, &next, entries))
        fault = segment_fault(errno);
    FAULT_POINT("journal-after-write");
    if (fault == NULL && sync_file(segment, false) != 0)
        fault = segment_fault(errno);
    FAULT_POINT("journal-after-sync");
    if (fault == NULL)
        fault = inspect(segment);
    if (fault != NULL) {
        take_back(segment);
        return fault;
    }
    segment->size += segment->written;
    segment->written = 0;
    *chain = next;
    return NULL;
}

/* Reads again what was acknowledged. */
static void verify(const struct segment *segment, const struct chain *chain,
                   char finding[static SEGMENT_FINDING])
{
    struct check check = {.first_seq = segment->first_seq};
    enum check_end end = check_segment(&check, segment->fd);

    if (end == CHECK_FAILED)
        snprintf(finding, SEGMENT_FINDING, "it cannot be read again: %s", segment_fault(errno));
    else if (end == CHECK_DAMAGED || end == CHECK_CUT)
        snprintf(finding, SEGMENT_FINDING, "line %" PRIu64 " of it is damaged: %s", check.line,
                 check.wrong != NULL ? check.wrong : "incomplete");
    else if (!chain_equal(&check.chain, chain))
        snprintf(finding, SEGMENT_FINDING, "what was acknowledged is not all in it");
}

const char *segment_mend(struct segment *segment, const struct chain *chain,
                         char finding[static SEGMENT_FINDING])
{
    const struct journal_io *io = segment->home->io;
    char side[CUT_NAME];
    struct stat status;

    finding[0] = '\0';
    if (fstat(segment->fd, &status) != 0)
        return segment_fault(errno);
    if (status.st_nlink == 0) {
        snprintf(finding, SEGMENT_FINDING, "the file is gone");
        return NULL;
    }
    if (status.st_size > segment->size + segment->written) {
        if (!cut_off(&segment->home->directory, segment->file, segment->fd, segment->size, side))
            return segment_fault(errno);
        snprintf(finding, SEGMENT_FINDING, "what others wrote into it is in %s", side);
    } else if (status.st_size > segment->size && io->truncate(io->arg, segment->fd, segment->size) != 0) {
        return segment_fault(errno);
    }
    FAULT_POINT("mend-after-cut");
    if (io->sync(io->arg, segment->fd, true) != 0)
        return segment_fault(errno);
    FAULT_POINT("mend-after-sync");
    verify(segment, chain, finding);
    return NULL;
}

/* Gives the finished file its name. link() never replaces a file, as rename() would. */
static bool publish(const struct directory *directory, const char *passing, const char *path)
{
    if (link(passing, path) != 0)
        return false;
    FAULT_POINT("segment-after-link");
    if (unlink(passing) == 0) {
        FAULT_POINT("segment-after-unlink");
        if (directory_sync(directory)) {
            FAULT_POINT("segment-after-directory-sync");
            return true;
        }
    }

    int fault = errno;
    unlink(path);
    errno = fault;
    return false;
}

/* Fills the new file and gives it its name. NULL, or why that cannot be. */
static const char *fill(struct segment *segment, struct chain *chain, const struct entry_list *entries,
                        const char *passing)
{
    FAULT_POINT("segment-after-create");
    if (!write_entries(segment, chain, entries))
        return segment_fault(errno);
    FAULT_POINT("segment-after-write");
    if (sync_file(segment, true) != 0)
        return segment_fault(errno);
    FAULT_POINT("segment-after-sync");
    if (!publish(&segment->home->directory, passing, segment->path))
        return segment_fault(errno);
    segment->size = segment->written;
    segment->written = 0;
    return NULL;
}

struct segment *segment_create(struct segment_home *home, struct chain *chain,
                               const struct entry_list *entries, const char **why)
{
    struct segment *segment = calloc(1, sizeof *segment);
    char *passing = directory_join(&home->directory, PASSING_NAME);
    struct chain next = *chain;
    struct segment_name name;

    *why = segment_fault(ENOMEM);
    segment_name_make(&name, chain_next(chain), clock_now_us());
    if (segment == NULL || passing == NULL)
        goto failed;
    *segment = (struct segment){.home = home, .fd = -1, .first_seq = name.first_seq};
    segment->path = directory_join(&home->directory, name.text);
    if (segment->path == NULL)
        goto failed;
    segment->file = strrchr(segment->path, '/') + 1;

    *why = "the directory was removed or replaced; put it back, or restart the gate";
    if (!directory_same(&home->directory))
        goto failed;

    unlink(passing); /* what a crash may have left */
    segment->fd = open(passing, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    *why = segment->fd < 0 || !note_file(segment) ? segment_fault(errno)
                                                  : fill(segment, &next, entries, passing);
    if (*why != NULL)
        goto failed;
    *chain = next;
    free(passing);
    return segment;

failed:
    if (segment != NULL && segment->fd >= 0 && passing != NULL)
        unlink(passing);
    free(passing);
    segment_abandon(segment);
    return NULL;
}

const char *segment_reserve(struct segment *segment)
{
    off_t from = segment->reserved > segment->size ? segment->reserved : segment->size;
    off_t wanted = segment->size + 2 * SEGMENT_RESERVE;

    if (segment->no_reserve || from - segment->size >= SEGMENT_RESERVE)
        return NULL;
    if (segment->home->io->reserve(segment->home->io->arg, segment->fd, from, wanted - from) == 0) {
        segment->reserved = wanted;
        return NULL;
    }
    if (errno == ENOSPC || errno == EDQUOT)
        return segment_fault(errno);
    if (errno != EINTR)
        segment->no_reserve = true; /* whatever else is wrong, a write will tell */
    return NULL;
}

size_t segment_size(const struct segment *segment)
{
    return (size_t)segment->size;
}

const char *segment_file(const struct segment *segment)
{
    return segment->file;
}

void segment_close(struct segment *segment)
{
    struct stat status;

    if (segment == NULL)
        return;
    if (fstat(segment->fd, &status) == 0 && status.st_size == segment->size &&
        ftruncate(segment->fd, segment->size) == 0)
        (void)segment->home->io->sync(segment->home->io->arg, segment->fd, true);
    segment_abandon(segment);
}

void segment_abandon(struct segment *segment)
{
    if (segment == NULL)
        return;
    if (segment->fd >= 0)
        close(segment->fd);
    free(segment->path);
    free(segment);
}
