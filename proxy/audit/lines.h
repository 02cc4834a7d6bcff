/* Reads a file line by line with bounded memory. Internal to proxy/audit. */
#ifndef PROXY_AUDIT_LINES_H
#define PROXY_AUDIT_LINES_H

#include "policies/text.h"

#include <sys/types.h>

/* The longest line of a journal; journal_append refuses what is longer. */
#define LINE_BYTES ((size_t)64 << 20)

enum line_state {
    LINE_WHOLE,    /* a line, without its newline */
    LINE_TOO_LONG, /* a line that ends with a newline but is longer than LINE_BYTES; not shown */
    LINE_PARTIAL,  /* bytes without a newline before the end of the file, for now; not shown */
    LINE_END,      /* for now */
    LINE_ERROR,    /* errno; ESTALE: what was handed out is not in the file any more */
};

/* {.fd = …} is ready, for a regular file. */
struct lines {
    int fd;
    uint64_t number; /* of the line just read, from 1 */
    off_t offset;    /* where it begins */
    off_t next;      /* where the one behind it begins */
    struct text buffer;
    size_t taken;   /* bytes of the buffer that were handed out */
    bool begun;     /* number and offset are already those of the next line: its newline was not there yet */
    bool shortened; /* that line is too long, and its beginning no longer in the buffer */
};

/* The next line; the span is good until the next call. What has no newline yet is looked for again by the
 * next call, which finds what was appended since; after ESTALE it goes on at the file's new end. */
enum line_state lines_next(struct lines *lines, struct span *line);

/* Frees the buffer; the descriptor stays open. */
void lines_free(struct lines *lines);

#endif
