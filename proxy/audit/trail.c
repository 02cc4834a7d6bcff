#include "proxy/audit/trail.h"

#include "proxy/audit/directory.h"
#include "proxy/audit/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Nothing that lies in a journal's directory may hold the reader up. */
#define OPEN_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

struct trail {
    char *path;
    struct directory directory; /* fd -1: there is only the segment `path` */

    struct segment_name *names; /* as last listed */
    size_t count;
    size_t next; /* of them, the first that was not opened yet */

    struct segment_name current; /* the last that was opened */
    const char *file;            /* what it is called */
    struct lines lines;          /* of it; fd -1 when it is closed again */
    bool complete; /* a newer one was seen before its end was: nothing is added to it any more */
    bool told;     /* of the bytes without a newline at its end */

    uint64_t before; /* bytes of segments read before this one */
    uint64_t all;
    char error[512];
};

static bool fail(struct trail *trail, const char *name, const char *what)
{
    if (name != NULL)
        snprintf(trail->error, sizeof trail->error, "%s/%s: %s", trail->path, name, what);
    else
        snprintf(trail->error, sizeof trail->error, "%s: %s", trail->path, what);
    return false;
}

static bool one_file(const struct trail *trail)
{
    return trail->directory.fd < 0;
}

static uint64_t size_at(const struct trail *trail, const char *name)
{
    struct stat status;

    return fstatat(trail->directory.fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode)
               ? (uint64_t)status.st_size
               : 0;
}

static void close_segment(struct trail *trail)
{
    trail->before += (uint64_t)trail->lines.next;
    if (trail->lines.fd >= 0)
        close(trail->lines.fd);
    lines_free(&trail->lines);
    trail->lines = (struct lines){.fd = -1};
    trail->complete = trail->told = false;
}

/* Reads the directory anew and finds the place behind `current` in it. */
static bool list(struct trail *trail)
{
    struct segment_name *names;
    size_t count;

    if (!directory_list(&trail->directory, &names, &count))
        return fail(trail, NULL, strerrordesc_np(errno));
    free(trail->names);
    trail->names = names;
    trail->count = count;
    trail->next = 0;
    while (trail->next < count && strcmp(names[trail->next].text, trail->current.text) <= 0)
        trail->next++;
    return true;
}

/* Counts what lies ahead; nothing is open. */
static void measure(struct trail *trail)
{
    trail->before = trail->all = 0;
    for (size_t i = trail->next; i < trail->count; i++)
        trail->all += size_at(trail, trail->names[i].text);
}

static bool adopt(struct trail *trail, int fd, const char *name)
{
    struct stat status;

    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
        trail->lines = (struct lines){.fd = fd};
        return true;
    }
    close(fd);
    return fail(trail, name, "not a regular file");
}

/* Opens the next segment. TRAIL_LINE: it is open. */
static enum trail_state open_next(struct trail *trail)
{
    if (trail->next == trail->count && !list(trail))
        return TRAIL_ERROR;
    while (trail->next < trail->count) {
        struct segment_name name = trail->names[trail->next];
        int fd = openat(trail->directory.fd, name.text, OPEN_FLAGS | O_NOFOLLOW);

        if (fd >= 0) {
            if (!adopt(trail, fd, name.text))
                return TRAIL_ERROR;
            trail->current = name;
            trail->complete = ++trail->next < trail->count;
            return TRAIL_LINE;
        }

        int fault = errno;
        if (fault == ENOENT && !list(trail)) /* it was removed since it was listed */
            return TRAIL_ERROR;
        if (fault != ENOENT ||
            (trail->next < trail->count && strcmp(trail->names[trail->next].text, name.text) == 0)) {
            fail(trail, name.text, strerrordesc_np(fault));
            return TRAIL_ERROR;
        }
    }
    return TRAIL_END;
}

/* At the segment's end. TRAIL_LINE: there is something to read now, of this segment or behind it. */
static enum trail_state on_end(struct trail *trail, bool partial)
{
    if (!trail->complete && !one_file(trail)) {
        if (!list(trail))
            return TRAIL_ERROR;
        if (trail->next < trail->count) { /* what was added before that one was begun may be unread */
            trail->complete = true;
            trail->told = false;
            return TRAIL_LINE;
        }
    }
    if (partial && !trail->told) {
        trail->told = true;
        return TRAIL_PARTIAL;
    }
    if (!trail->complete)
        return TRAIL_END;
    close_segment(trail);
    return TRAIL_LINE;
}

static enum trail_state on_error(struct trail *trail)
{
    fail(trail, one_file(trail) ? NULL : trail->file,
         errno == ESTALE ? "lines were cut off its end while it was read" : strerrordesc_np(errno));
    return TRAIL_ERROR;
}

enum trail_state trail_next(struct trail *trail, struct trail_line *line)
{
    enum trail_state state = TRAIL_LINE;

    do {
        if (trail->lines.fd < 0 && (state = open_next(trail)) != TRAIL_LINE)
            return state;

        enum line_state found = lines_next(&trail->lines, &line->text);
        line->file = trail->file;
        line->number = trail->lines.number;
        line->offset = (uint64_t)trail->lines.offset;
        if (found == LINE_WHOLE || found == LINE_TOO_LONG) {
            trail->told = false;
            state = found == LINE_WHOLE ? TRAIL_LINE : TRAIL_TOO_LONG;
            break;
        }
        state = found == LINE_ERROR ? on_error(trail) : on_end(trail, found == LINE_PARTIAL);
    } while (state == TRAIL_LINE);
    if (state != TRAIL_LINE)
        line->text = (struct span){NULL, 0};
    return state;
}

const char *trail_error(const struct trail *trail)
{
    return trail->error;
}

bool trail_seek(struct trail *trail, uint64_t seq)
{
    size_t at = 0;

    if (one_file(trail)) {
        int fd = trail->lines.fd;

        lines_free(&trail->lines);
        trail->lines = (struct lines){.fd = fd};
        trail->told = false;
        return true;
    }
    if (!list(trail))
        return false;
    close_segment(trail);
    for (size_t i = 1; i < trail->count && trail->names[i].first_seq <= seq; i++)
        if (trail->names[i].first_seq > trail->names[at].first_seq)
            at = i;
    trail->next = at;
    /* As if the one before it had just been read. */
    trail->current = at > 0 ? trail->names[at - 1] : (struct segment_name){.first_seq = 0};
    measure(trail);
    return true;
}

void trail_progress(const struct trail *trail, uint64_t *done, uint64_t *all)
{
    *done = trail->before + (uint64_t)trail->lines.next;
    *all = *done > trail->all ? *done : trail->all; /* it may have grown */
}

/* The last part of a path. */
static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

/* Takes the descriptor over. */
static bool begin(struct trail *trail, int fd)
{
    struct stat status;

    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
        trail->directory.path = trail->path;
        trail->directory.fd = fd;
        trail->file = trail->current.text;
        if (!list(trail))
            return false;
        measure(trail);
        return true;
    }
    if (!adopt(trail, fd, NULL))
        return false;
    trail->file = name_of(trail->path);
    trail->all = (uint64_t)status.st_size;
    return true;
}

struct trail *trail_open(const char *path, char *error, size_t error_size)
{
    struct trail *trail = calloc(1, sizeof *trail);
    int fd = -1;

    if (trail != NULL) {
        trail->lines.fd = trail->directory.fd = trail->directory.lock = -1;
        trail->path = strdup(path);
    }
    if (trail == NULL || trail->path == NULL || (fd = open(path, OPEN_FLAGS)) < 0) {
        snprintf(error, error_size, "%s: %s", path, strerrordesc_np(errno));
        goto failed;
    }
    if (!begin(trail, fd)) {
        snprintf(error, error_size, "%s", trail->error);
        goto failed;
    }
    return trail;

failed:
    trail_free(trail);
    return NULL;
}

void trail_free(struct trail *trail)
{
    if (trail == NULL)
        return;
    close_segment(trail);
    if (trail->directory.fd >= 0)
        close(trail->directory.fd);
    free(trail->names);
    free(trail->path);
    free(trail);
}
