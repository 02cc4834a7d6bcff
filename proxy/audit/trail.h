/* Reading a journal's directory as evidence: every line of every segment in order, without the lock, also
 * while it is written. Used by recovery, by `portcullis audit` and by shipping.
 *
 * It trusts nothing: what does not fit is told, not passed over. */
#ifndef PROXY_AUDIT_TRAIL_H
#define PROXY_AUDIT_TRAIL_H

#include "policies/text.h"
#include "proxy/audit/tree.h"

struct trail;

struct trail_line {
    const char *file; /* name of the segment, without the directory; good until the next call, as text is */
    uint64_t number;  /* of the line in it, from 1 */
    uint64_t offset;  /* where it begins in the file */
    struct span text; /* without its newline */
};

enum trail_state {
    TRAIL_LINE,
    TRAIL_PARTIAL, /* bytes without a newline at the end of a segment (text holds none). What the next call
                      says tells what they are. TRAIL_END: of the newest segment, perhaps being written; the
                      line with the same number: they were; a line of another segment: damage */
    TRAIL_TOO_LONG,
    TRAIL_END,   /* for now: asking again later may bring more (query --follow, shipping) */
    TRAIL_ERROR, /* trail_error says what. Asking again tries again; where lines that were handed out have
                    been cut off since, it goes on behind them */
};

/* Opens the directory, or one segment file. NULL with a message. */
struct trail *trail_open(const char *path, char *error, size_t error_size);
void trail_free(struct trail *trail);

/* The next line, of the next segment when one is at its end and a newer one exists. */
enum trail_state trail_next(struct trail *trail, struct trail_line *line);
const char *trail_error(const struct trail *trail);

/* Goes to the segment that holds `seq`, or the first behind it: reading begins at its first line. By names
 * alone; in a single segment, to its beginning. False (trail_error) when the directory cannot be read. */
bool trail_seek(struct trail *trail, uint64_t seq);

/* Bytes read so far and in all (at the time of opening, or of the last trail_seek), for progress bars. */
void trail_progress(const struct trail *trail, uint64_t *done, uint64_t *all);

#endif
