#include "proxy/audit/lines.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* Much in one go, but no more than stays in a processor's cache until it is looked at. */
#define CHUNK ((size_t)256 << 10)

/* Bytes of the buffer that are not handed out. */
static size_t waiting_in(const struct lines *lines)
{
    return lines->buffer.length - lines->taken;
}

/* Drops what was handed out and reads a chunk more. Bytes read; 0 at the end; -1 (errno). */
static ssize_t fill(struct lines *lines)
{
    struct text *buffer = &lines->buffer;
    ssize_t got;

    if (lines->taken > 0) {
        memmove(buffer->data, buffer->data + lines->taken, waiting_in(lines));
        buffer->length -= lines->taken;
        lines->taken = 0;
    }
    if (!text_reserve(buffer, CHUNK)) {
        errno = ENOMEM;
        return -1;
    }
    do {
        got = pread(lines->fd, buffer->data + buffer->length, CHUNK, lines->next + (off_t)buffer->length);
    } while (got < 0 && errno == EINTR);
    if (got > 0)
        buffer->length += (size_t)got;
    return got;
}

static void begin_line(struct lines *lines)
{
    if (lines->begun)
        return;
    lines->begun = true;
    lines->shortened = false;
    lines->offset = lines->next;
    lines->number++;
}

/* What it means that there is no more to read. Where the file became shorter, what was read ahead and is gone
 * is forgotten, and LINE_WHOLE says to look again. */
static enum line_state look_back(struct lines *lines)
{
    off_t read = lines->next + (off_t)waiting_in(lines);
    struct stat status;

    if (fstat(lines->fd, &status) != 0)
        return LINE_ERROR;
    if (status.st_size >= read)
        return read > lines->offset ? LINE_PARTIAL : LINE_END;

    text_clear(&lines->buffer);
    lines->taken = 0;
    lines->shortened = false;
    lines->next = lines->offset;
    if (status.st_size >= lines->offset)
        return LINE_WHOLE;
    lines->offset = lines->next = status.st_size;
    errno = ESTALE;
    return LINE_ERROR;
}

enum line_state lines_next(struct lines *lines, struct span *line)
{
    struct text *buffer = &lines->buffer;
    size_t searched = 0; /* of what is not handed out yet */

    begin_line(lines);
    for (;;) {
        size_t waiting = waiting_in(lines);
        char *start = buffer->data + lines->taken;
        char *end = waiting > searched ? memchr(start + searched, '\n', waiting - searched) : NULL;

        if (end != NULL) {
            *line = (struct span){start, (size_t)(end - start)};
            lines->taken += line->length + 1;
            lines->next += (off_t)line->length + 1;
            lines->begun = false;
            return lines->shortened || line->length > LINE_BYTES ? LINE_TOO_LONG : LINE_WHOLE;
        }
        searched = waiting;
        if (waiting > LINE_BYTES) { /* its beginning is of no use any more */
            lines->shortened = true;
            lines->next += (off_t)waiting;
            lines->taken = buffer->length;
            searched = 0;
        }

        ssize_t got = fill(lines);
        enum line_state state = got < 0 ? LINE_ERROR : got == 0 ? look_back(lines) : LINE_WHOLE;
        if (state != LINE_WHOLE)
            return state;
    }
}

void lines_free(struct lines *lines)
{
    text_free(&lines->buffer);
}
