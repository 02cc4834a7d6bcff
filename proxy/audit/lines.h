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
    LINE_PARTIAL,  /* bytes without a newline before the end of the file; not shown */
    LINE_END,
    LINE_ERROR, /* errno */
};

/* {.fd = …} is ready. */
struct lines {
    int fd;
    uint64_t number; /* of the line just read, from 1 */
    off_t offset;    /* where it begins */
    off_t next;      /* where the one behind it begins */
    struct text buffer;
    size_t taken; /* bytes of the buffer that were handed out */
};

/* The next line; the span is good until the next call. */
enum line_state lines_next(struct lines *lines, struct span *line);

/* Frees the buffer; the descriptor stays open. */
void lines_free(struct lines *lines);

#endif
