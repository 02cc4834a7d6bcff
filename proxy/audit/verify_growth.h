/* The tree of the log while its lines are read, held against the checkpoints. Internal to the verifier.
 *
 * Where a line is at odds with the one behind it, the tree goes on with what that one says it was: a
 * checkpoint that fits such a tree shows that all other lines are as they were signed. */
#ifndef PROXY_AUDIT_VERIFY_GROWTH_H
#define PROXY_AUDIT_VERIFY_GROWTH_H

#include "proxy/audit/points.h"
#include "proxy/audit/verify_pieces.h"

/* Zeroed but for `points`, it knows nothing of the log yet. */
struct growth {
    struct points *points;
    bool known; /* `tree` is that of the lines before the pending one */
    struct tree tree;
    struct tree other; /* the same, the last line but one as the one behind it says it was */
    bool two;          /* `other` may be the right one */
    unsigned run;      /* lines in a row that are at odds with the one before */
    bool repaired;     /* a line was taken as the one behind it says it was */
    struct link pending;
    bool has_pending;

    /* The newest lines that a checkpoint shows to be as they were signed: numbers from..to. */
    uint64_t proven_from, proven_to;
    uint64_t sure_from; /* first number behind the last repair, or behind where the tree was adopted */
};

/* The tree before the first line, or behind damage, as a segment's header has it. */
void growth_adopt(struct growth *growth, const struct tree *tree);

/* The next line, and how it joins the one before it. */
void growth_add(struct growth *growth, const struct link *link, enum joint joint);

enum growth_answer { GROWTH_AGREES, GROWTH_DIFFERS, GROWTH_UNKNOWN };

/* Is this the tree of all lines before the one added last? */
enum growth_answer growth_compare(struct growth *growth, const struct tree *tree);

/* Nothing follows. */
void growth_end(struct growth *growth);

#endif
