/* A walk through the text of a pattern that compiles: what it repeats, and what could stand there. Internal
 * to pattern_blowup.c. */
#ifndef POLICIES_PATTERN_WALK_H
#define POLICIES_PATTERN_WALK_H

#include "policies/arena.h"
#include "policies/pattern.h"
#include "policies/text.h"

#define WALK_LOOPS  32
#define WALK_PIECES 64

/* A repetition without a near end. */
struct walk_loop {
    struct span part;   /* of the pattern, with its quantifier */
    struct span before; /* what leads there; in the arena */
};

struct pattern_walk {
    struct span source;
    size_t at;
    struct text path; /* what leads to `at` */
    struct walk_loop loops[WALK_LOOPS];
    size_t loop_count;
    struct span pieces[WALK_PIECES]; /* what atoms and branches take; in the arena */
    size_t piece_count;
    struct pattern_scratch *scratch;
    struct arena arena;
    bool failed; /* memory is out */
};

/* Walks through `source`. pattern_walk_free afterwards. Repetitions and pieces beyond the room are left out.
 */
void pattern_walk(struct pattern_walk *walk, struct span source, struct pattern_scratch *scratch);
void pattern_walk_free(struct pattern_walk *walk);

#endif
