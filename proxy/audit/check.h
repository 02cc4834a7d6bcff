/* One segment read as evidence: each line must be the one that the tree and the line before it say. Internal
 * to proxy/audit. */
#ifndef PROXY_AUDIT_CHECK_H
#define PROXY_AUDIT_CHECK_H

#include "proxy/audit/chain.h"

#include <sys/types.h>

#define SEGMENT_FORMAT 2

enum check_end {
    CHECK_WHOLE,
    CHECK_CUT,     /* whole but for an incomplete line at the end */
    CHECK_DAMAGED, /* `wrong` at `line` */
    CHECK_FAILED,  /* errno */
};

/* Is called with the log as it is behind each line, and once before the header (`line` empty then). NULL, or
 * what is wrong with it (static). */
typedef const char *check_visit(void *arg, const struct chain *chain, struct span line);

struct check {
    /* Given: */
    uint64_t first_seq;        /* as the file's name has it */
    const struct chain *known; /* the log before this segment; NULL: what the header says is believed */
    check_visit *visit;        /* NULL: none */
    void *arg;

    /* Found: */
    struct chain chain; /* the log behind the last good line */
    uint64_t run, open_from;
    uint64_t line; /* number of the last line looked at */
    off_t whole;   /* bytes up to the end of the last good line */
    const char *wrong;
};

/* Reads the file from its beginning; its position stays where it is. */
enum check_end check_segment(struct check *check, int fd);

#endif
