#include "proxy/audit/segment.h"

#include "proxy/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASSING_NAME    "segment.new"
#define RECORDS_AT_ONCE (IOV_MAX / RECORD_PARTS)

struct segment {
    const struct journal_io *io;
    int fd;
    char *path;       /* of the file once it has its name */
    const char *file; /* the last part of it */
    off_t size;       /* of what was written and synced */
    off_t reserved;   /* allocated up to here */
    bool no_reserve;  /* the file system cannot */
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

const struct journal_io journal_io_system = {NULL, system_write, system_sync, system_reserve};

/* A text for the fault that lasts as long as the program. */
static const char *describe(int fault)
{
    const char *text = strerrordesc_np(fault);

    return text != NULL ? text : "unknown error";
}

/* Writes all parts, however many calls that takes. False (errno) on a fault; *written grows by what went in.
 */
static bool write_parts(struct segment *segment, struct iovec *parts, int count, off_t *written)
{
    while (count > 0) {
        ssize_t got = segment->io->write(segment->io->arg, segment->fd, parts, count);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            if (got == 0)
                errno = EIO;
            return false;
        }
        *written += got;

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

/* Writes the entries' lines, as many in one call as the system takes. */
static bool write_entries(struct segment *segment, uint64_t seq, const struct entry_list *entries,
                          off_t *written)
{
    struct iovec parts[RECORDS_AT_ONCE * RECORD_PARTS];
    char scratch[RECORDS_AT_ONCE][RECORD_SCRATCH];
    const struct entry *entry = STAILQ_FIRST(entries);

    while (entry != NULL) {
        int records = 0;

        for (; entry != NULL && records < RECORDS_AT_ONCE; entry = STAILQ_NEXT(entry, next), records++)
            record_splice(&entry->record, seq++, scratch[records], &parts[(size_t)records * RECORD_PARTS]);
        if (!write_parts(segment, parts, records * RECORD_PARTS, written))
            return false;
    }
    return true;
}

/* How many of the entries' lines lie whole in the first `written` bytes, and how many bytes those are. */
static size_t count_whole(uint64_t seq, const struct entry_list *entries, off_t written, off_t *bytes)
{
    struct iovec parts[RECORD_PARTS];
    char scratch[RECORD_SCRATCH];
    size_t whole = 0;

    *bytes = 0;
    for (const struct entry *entry = STAILQ_FIRST(entries); entry != NULL; entry = STAILQ_NEXT(entry, next)) {
        off_t length = (off_t)record_splice(&entry->record, seq++, scratch, parts);

        if (*bytes + length > written)
            break;
        *bytes += length;
        whole++;
    }
    return whole;
}

/* Takes stock after a fault. More may lie in the file than the failed call admitted: every number that may
 * have been written counts as used. A piece of a line at the end is cut off, if it is surely ours. */
static size_t settle(struct segment *segment, uint64_t seq, const struct entry_list *entries, off_t written)
{
    struct stat status;
    off_t bytes, present = written;

    if (fstat(segment->fd, &status) == 0)
        present = status.st_size - segment->size;

    size_t whole = count_whole(seq, entries, present > written ? present : written, &bytes);
    if (bytes < written && present == written && ftruncate(segment->fd, segment->size + bytes) == 0)
        (void)segment->io->sync(segment->io->arg, segment->fd, true);
    return whole;
}

/* Is the file still the one at its path, and nobody else's bytes in it? NULL, or what is wrong. */
static const char *inspect(const struct segment *segment)
{
    struct stat ours, theirs;

    if (fstat(segment->fd, &ours) != 0)
        return describe(errno);
    if (ours.st_nlink == 0 || stat(segment->path, &theirs) != 0 || ours.st_dev != theirs.st_dev ||
        ours.st_ino != theirs.st_ino)
        return "the segment was removed or replaced";
    if (ours.st_size != segment->size)
        return "the segment was changed by another program";
    return NULL;
}

/* Writes and syncs; *whole counts the whole lines in the file either way. */
static const char *append(struct segment *segment, uint64_t first_seq, const struct entry_list *entries,
                          bool metadata, size_t *whole)
{
    off_t written = 0;

    if (!write_entries(segment, first_seq, entries, &written) ||
        segment->io->sync(segment->io->arg, segment->fd, metadata) != 0) {
        int fault = errno;

        *whole = settle(segment, first_seq, entries, written);
        return describe(fault);
    }
    off_t bytes;
    *whole = count_whole(first_seq, entries, written, &bytes);
    segment->size += written;
    return NULL;
}

const char *segment_append(struct segment *segment, uint64_t first_seq, const struct entry_list *entries,
                           size_t *whole)
{
    const char *fault = append(segment, first_seq, entries, false, whole);

    return fault != NULL ? fault : inspect(segment);
}

/* Gives the finished file its name. link() never replaces a file, as rename() would. */
static bool publish(const struct directory *directory, const char *passing, const char *path)
{
    if (link(passing, path) != 0)
        return false;
    if (unlink(passing) == 0 && directory_sync(directory))
        return true;

    int fault = errno;
    unlink(path);
    errno = fault;
    return false;
}

struct segment *segment_create(const struct journal_io *io, const struct directory *directory,
                               uint64_t first_seq, const struct entry_list *entries, const char **why)
{
    struct segment *segment = calloc(1, sizeof *segment);
    char *passing = directory_join(directory, PASSING_NAME);
    struct segment_name name;
    size_t whole;

    *why = describe(ENOMEM);
    segment_name_make(&name, first_seq, clock_now_us());
    if (segment == NULL || passing == NULL)
        goto failed;
    *segment = (struct segment){.io = io, .fd = -1, .path = directory_join(directory, name.text)};
    if (segment->path == NULL)
        goto failed;
    segment->file = strrchr(segment->path, '/') + 1;

    *why = "the directory was removed or replaced; put it back, or restart the gate";
    if (!directory_same(directory))
        goto failed;

    unlink(passing); /* what a crash may have left */
    segment->fd = open(passing, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (segment->fd < 0) {
        *why = describe(errno);
        goto failed;
    }
    *why = append(segment, first_seq, entries, true, &whole);
    if (*why == NULL && !publish(directory, passing, segment->path))
        *why = describe(errno);
    if (*why != NULL)
        goto failed;
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
    if (segment->io->reserve(segment->io->arg, segment->fd, from, wanted - from) == 0) {
        segment->reserved = wanted;
        return NULL;
    }
    if (errno == ENOSPC || errno == EDQUOT)
        return describe(errno);
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
        (void)segment->io->sync(segment->io->arg, segment->fd, true);
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
