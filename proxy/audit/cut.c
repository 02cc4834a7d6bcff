#include "proxy/audit/cut.h"

#include "proxy/base/clock.h"
#include "proxy/base/fault_point.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INFIX ".cut-"

/* Copies what lies behind `from` into a new file and makes that durable. */
static bool copy_rest(int fd, off_t from, const struct directory *directory, const char *side)
{
    int out = openat(directory->fd, side, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    static const size_t size = 64 << 10;
    char *buffer = malloc(size);
    bool copied = false;
    ssize_t got;

    if (out < 0 || buffer == NULL)
        goto done;
    while ((got = pread(fd, buffer, size, from)) > 0) {
        ssize_t put = write(out, buffer, (size_t)got);
        if (put != got) {
            errno = put < 0 ? errno : ENOSPC;
            goto done;
        }
        from += got;
    }
    copied = got == 0 && fsync(out) == 0;

done:
    free(buffer);
    if (out >= 0) {
        int fault = errno;

        if (!copied)
            unlinkat(directory->fd, side, 0);
        close(out);
        errno = fault;
    }
    return copied;
}

bool cut_off(const struct directory *directory, const char *segment, int fd, off_t whole,
             char side[static CUT_NAME])
{
    int64_t now = clock_now_us();
    char time[DIRECTORY_TIME];

    directory_time(now, time);
    snprintf(side, CUT_NAME, "%s" INFIX "%s.%06u", segment, time, (unsigned)(now % 1000000));
    if (!copy_rest(fd, whole, directory, side) || !directory_sync(directory))
        return false;
    FAULT_POINT("cut-after-side");
    if (ftruncate(fd, whole) != 0 || fsync(fd) != 0)
        return false;
    FAULT_POINT("cut-after-truncate");
    return true;
}

bool cut_is(const char *name)
{
    char segment[SEGMENT_NAME];
    struct segment_name read;

    (void)snprintf(segment, sizeof segment, "%s", name);
    return segment_name_read(segment, &read) && cut_is_of(name, segment);
}

bool cut_is_of(const char *name, const char *segment)
{
    size_t length = strlen(segment);

    return strncmp(name, segment, length) == 0 && strncmp(name + length, INFIX, sizeof INFIX - 1) == 0;
}
