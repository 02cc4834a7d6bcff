/* How far a destination has the journal, on disk: DIR/<destination>.position, one JSON line. */
#ifndef PROXY_SHIP_POSITION_H
#define PROXY_SHIP_POSITION_H

#include "proxy/audit/tree.h"

#include <stddef.h>

#define POSITION_SEGMENT 64

struct position {
    uint64_t seq;                   /* of the last line taken; 0: none yet */
    char segment[POSITION_SEGMENT]; /* that holds it, for people */
    struct tree_hash hash;          /* of the line: is it still the same journal? */
};

/* Reads the file; a missing one is the beginning. False with a message when it holds no position: *position
 * is then the beginning. */
bool position_read(const char *path, struct position *position, char *error, size_t error_size);

/* Puts it on disk, whole or not at all. False (errno). */
bool position_write(const char *path, const struct position *position);

#endif
