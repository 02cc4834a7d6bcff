/* One segment read as evidence: each line must be the one that the tree and the line before it say. Internal
 * to proxy/audit.
 *
 * What a crash may leave at the end, and what it may not. Lines are appended in groups; a group is begun only
 * when the one before it is on the disk (fdatasync), and nobody is told of a line before its group is. So
 * whatever a death or a power cut damages lies in the last group, of which nothing was acknowledged. That is:
 *
 *  - an incomplete last line, or one that is no JSON at all: the file's length, or its last page, was lost;
 *  - pages of the last group that never reached the disk, which a file system shows as zeros, with pages that
 *    did between them and behind. The writer never writes a zero byte (canonical JSON has none), so the first
 *    bad line then holds one; and the damage reaches from there to the end of the file over no more than a
 *    group, CHECK_GROUP bytes, or over one line alone, however long it is.
 *
 * Both may be cut off. Nothing behind the first bad line is believed, good as it may look: a line that cannot
 * be chained to what is before it proves nothing. Any other damage is refused: a bad line of other bytes, or
 * zeros further from the end, no crash makes.
 *
 * Whoever may write the file can make the end look like that, and lose the records of the last group that are
 * behind the newest checkpoint; but he could as well cut the file off at a line's end. The one and the other
 * are only shown by a checkpoint, whose lines must all be there (recovery.h). The cut is the louder of the
 * two: what was cut off is kept in a side file, the log has a record of it with its bytes and lines, and
 * `audit verify` tells of both. */
#ifndef PROXY_AUDIT_CHECK_H
#define PROXY_AUDIT_CHECK_H

#include "proxy/audit/chain.h"

#include <sys/types.h>

#define SEGMENT_FORMAT 2

/* Bytes of lines that are appended and made durable at one time, at most; but a longer line goes alone. */
#define CHECK_GROUP ((size_t)1 << 20)

enum check_end {
    CHECK_WHOLE,
    CHECK_CUT,     /* whole but for what a crash may leave at the end */
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
