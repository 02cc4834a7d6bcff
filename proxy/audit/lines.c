#include "proxy/audit/lines.h"

#include <errno.h>
#include <unistd.h>

#define CHUNK ((size_t)64 << 10)

/* Drops what was handed out and reads a chunk more. Bytes read; 0 at the end; -1 (errno). */
static ssize_t fill(struct lines *lines)
{
    struct text *buffer = &lines->buffer;
    ssize_t got;

    if (lines->taken > 0) {
        memmove(buffer->data, buffer->data + lines->taken, buffer->length - lines->taken);
        buffer->length -= lines->taken;
        lines->taken = 0;
    }
    if (!text_reserve(buffer, CHUNK)) {
        errno = ENOMEM;
        return -1;
    }
    do {
        got = read(lines->fd, buffer->data + buffer->length, CHUNK);
    } while (got < 0 && errno == EINTR);
    if (got > 0)
        buffer->length += (size_t)got;
    return got;
}

enum line_state lines_next(struct lines *lines, struct span *line)
{
    struct text *buffer = &lines->buffer;
    size_t searched = 0; /* of what is not handed out yet */
    bool too_long = false;

    lines->offset = lines->next;
    lines->number++;
    for (;;) {
        size_t waiting = buffer->length - lines->taken;
        char *start = buffer->data + lines->taken;
        char *end = waiting > searched ? memchr(start + searched, '\n', waiting - searched) : NULL;

        if (end != NULL) {
            *line = (struct span){start, (size_t)(end - start)};
            lines->taken += line->length + 1;
            lines->next += (off_t)line->length + 1;
            return too_long || line->length > LINE_BYTES ? LINE_TOO_LONG : LINE_WHOLE;
        }
        searched = waiting;
        if (waiting > LINE_BYTES) { /* its beginning is of no use any more */
            too_long = true;
            lines->next += (off_t)waiting;
            lines->taken = buffer->length;
            searched = 0;
        }

        ssize_t got = fill(lines);
        if (got < 0)
            return LINE_ERROR;
        if (got == 0)
            return buffer->length > 0 || too_long ? LINE_PARTIAL : LINE_END;
    }
}

void lines_free(struct lines *lines)
{
    text_free(&lines->buffer);
}
