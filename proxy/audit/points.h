/* The checkpoints of a journal as evidence: all that lie in its directory, and those kept elsewhere that
 * somebody brings, each judged by itself. Whether the log fits them is for others to see. */
#ifndef PROXY_AUDIT_POINTS_H
#define PROXY_AUDIT_POINTS_H

#include "proxy/audit/trust.h"

enum point_state {
    POINT_UNSEEN, /* the tree of that size was not seen */
    POINT_FITS,
    POINT_DIFFERS,
};

struct point {
    char *file; /* as messages name it: "checkpoints/0000000000001000.note", or the path given */
    bool outside;
    const char *wrong; /* why it proves nothing (static); NULL: it is signed by a trusted key */

    /* Where nothing is wrong: */
    uint64_t size;
    struct tree_hash root;
    char *origin;
    size_t signer; /* index of the key */
    char *note;    /* the whole of it */

    enum point_state state; /* for its user */
};

/* A zeroed struct is the empty list. */
struct points {
    struct point *items; /* by size, the small ones first; those that are wrong by the size in their name */
    size_t count;
};

/* Adds all of DIRECTORY/checkpoints. A missing folder is an empty one. False with a message when that cannot
 * be read. */
bool points_add_directory(struct points *points, const char *directory, const struct trust *trust,
                          char *error, size_t error_size);

/* Adds one kept elsewhere. False with a message when the file cannot be read. */
bool points_add_file(struct points *points, const char *path, const struct trust *trust, char *error,
                     size_t error_size);

/* The smallest good one that covers that many lines; NULL without one. */
const struct point *points_covering(const struct points *points, uint64_t lines);

/* The largest good one; NULL without one. */
const struct point *points_newest(const struct points *points);

void points_free(struct points *points);

#endif
