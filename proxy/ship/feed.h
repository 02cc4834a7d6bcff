/* The journal as a stream of lines for one destination: from a position on, what is durable and no more.
 *
 * A line is handed out only when the journal says that its number is durable, since what is not may be cut
 * off and its number used again; and only while its file still holds it. */
#ifndef PROXY_SHIP_FEED_H
#define PROXY_SHIP_FEED_H

#include "proxy/ship/position.h"

struct feed;

struct feed_line {
    uint64_t seq;
    const char *segment; /* good until the next call, as text is */
    struct span text;
    uint64_t missing; /* lines before it that are not there any more */
};

enum feed_state {
    FEED_LINE,
    FEED_WAIT,  /* nothing more for now */
    FEED_OTHER, /* the journal is not the one that the position is of: it begins anew, at the oldest line */
    FEED_ERROR, /* feed_error; asking again tries again */
};

/* Reads behind `after`. NULL with a message. */
struct feed *feed_open(const char *directory, const struct position *after, char *error, size_t error_size);
void feed_free(struct feed *feed);

/* The next line, when its number is `durable` at most. */
enum feed_state feed_next(struct feed *feed, uint64_t durable, struct feed_line *line);
const char *feed_error(const struct feed *feed);

#endif
