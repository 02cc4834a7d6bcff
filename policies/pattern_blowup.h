/* Patterns that can blow up: such as take one value in so many ways that a short one uses up the steps of a
 * match. A pattern is read as far as needed to make values up that go round in its repetitions and then fail;
 * they are matched as the gate would match them. What is found is therefore so, and a value that shows it is
 * at hand. What is not found is not proven: PCRE2's limits hold it in either case. */
#ifndef POLICIES_PATTERN_BLOWUP_H
#define POLICIES_PATTERN_BLOWUP_H

#include "policies/pattern.h"
#include "policies/text.h"

/* How a pattern blows up. Texts end with NUL when they hold something. */
struct blowup {
    struct text part;   /* of the pattern: the repetition */
    struct text before; /* a value begins with this, */
    struct text again;  /* goes on with this, `times` times, */
    struct text behind; /* and ends with this */
    unsigned times;
};

enum blowup_verdict {
    BLOWUP_NONE,  /* found */
    BLOWUP_FOUND, /* *blowup is filled; blowup_free */
    BLOWUP_UNSURE /* memory is out, or *matches were too few */
};

/* Looks for one, with at most *matches matches, of which it takes away those that it made. Pure but for the
 * scratch. */
enum blowup_verdict pattern_blowup(const struct pattern *pattern, struct pattern_scratch *scratch,
                                   size_t *matches, struct blowup *blowup);
void blowup_free(struct blowup *blowup);

#endif
