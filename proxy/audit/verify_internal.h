/* What the parts of the verifier share. */
#ifndef PROXY_AUDIT_VERIFY_INTERNAL_H
#define PROXY_AUDIT_VERIFY_INTERNAL_H

#include "proxy/audit/directory.h"
#include "proxy/audit/scan.h"
#include "proxy/audit/verify.h"
#include "proxy/audit/verify_growth.h"

#define VERIFY_FORMAT 2 /* of the segments */

/* A segment as its first line was seen. */
struct verify_file {
    char *name;
    uint64_t first_seq; /* number of its first line */
    uint64_t lines;
};

/* A side file: what was cut off from a segment. */
struct verify_cut {
    char *name;
    bool told; /* a record tells of it */
};

struct verifier {
    const struct verify_options *options;
    struct verify_report *report;
    char *directory; /* where checkpoints and keys lie */
    bool single;     /* one segment of it is looked at */
    bool broken_off; /* it could not be read to the end */

    struct trust own; /* keys of the directory */
    const struct trust *trust;
    struct points points;

    struct verify_file *files;
    size_t file_count;
    struct verify_cut *cuts;
    size_t cut_count;
    struct pieces pieces;
    struct growth growth;
    struct scan scan;

    /* Of the lines so far: */
    uint64_t high_seq; /* the largest number */
    struct place high_place;
    struct tree begin; /* before the first line, as the header has it */
    bool has_begin;
    char origin[256];       /* as the first header has it; "" without one */
    uint64_t run, run_line; /* the newest run's first number, and its header's line number; 0: none */
    struct place run_place;
    bool stopped; /* the last line says that the gate stopped */
    struct place last_place;
    uint64_t newest_point;  /* size of the newest good checkpoint */
    struct place uncovered; /* the first line behind it; line 0: none */
    int64_t uncovered_us;   /* and its time */
    int64_t last_us;        /* of the last line behind it */

    /* Of the `removed` record that reaches furthest: */
    uint64_t removed_to;
    struct tree_hash removed_root;
    bool has_removed_root;
    struct place removed_place;
};

/* Notes a finding. `file` may be NULL. */
void verify_tell(struct verifier *verifier, enum verify_kind kind, const char *file, uint64_t line,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The same at a line. */
#define verify_tell_at(verifier, kind, place, ...)                                                           \
    verify_tell(verifier, kind, (verifier)->files[(place).file].name, (place).line, __VA_ARGS__)

/* "<file>:<line>", as messages name a place. */
#define VERIFY_PLACE 320
const char *verify_place(const struct verifier *verifier, struct place place, char text[static VERIFY_PLACE]);

/* The number that a segment's name begins with; false for another name. */
bool verify_name_number(const char *name, uint64_t *number);

/* Brings the findings into the order of their places. */
void verify_sort(struct verify_report *report);

/* The first line of a segment, which was scanned, and has joined the others. */
void verify_header(struct verifier *verifier, const struct link *link);

/* A line that says something of the log itself: start of a run, stop, removal. */
void verify_stage(struct verifier *verifier, const struct link *link);

/* What was cut off: looks for the side files (false when memory is out); takes note of a `recovered` record,
 * which was scanned; after the last line, tells of side files that no record tells of. */
bool verify_cuts_find(struct verifier *verifier);
void verify_cut_record(struct verifier *verifier, const struct link *link);
void verify_cuts(struct verifier *verifier);
void verify_cuts_free(struct verifier *verifier);

/* After the last line: what the checkpoints show. */
void verify_points(struct verifier *verifier);

/* And what they do not cover, though they should. */
void verify_coverage(struct verifier *verifier);

/* What the joints between the lines show. */
void verify_joints(struct verifier *verifier);

#endif
