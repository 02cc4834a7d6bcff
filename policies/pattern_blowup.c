/* Values by which a pattern blows up. The pattern compiles; so it is read without a thought for what is wrong
 * in it, and what is not understood (a name, a condition, a verb) only means that fewer values are tried. */
#include "policies/pattern_blowup.h"

#include "policies/pattern_walk.h"

#define TIMES 64u /* that a piece is repeated: 2^17 ways are more than the steps of a match */
#define PAIRS 24u /* pieces that are tried two by two */

/* What a value can end with so that no character class takes it all. */
static const char *const ends[] = {"", "!", "\n", "\x01"};

struct trial {
    const struct pattern *pattern;
    struct pattern_scratch *scratch;
    const struct pattern_walk *walk;
    size_t *matches;
    struct text value;
    bool exhausted;
};

/* Does the value use up the steps? */
static bool blows_up(struct trial *trial, struct span before, const struct span *again, struct span end,
                     struct span tail)
{
    if (*trial->matches == 0) {
        trial->exhausted = true;
        return false;
    }
    --*trial->matches;
    text_clear(&trial->value);
    text_add(&trial->value, before.data, before.length);
    for (unsigned i = 0; i < TIMES; i++) {
        text_add(&trial->value, again[0].data, again[0].length);
        text_add(&trial->value, again[1].data, again[1].length);
    }
    text_add(&trial->value, end.data, end.length);
    text_add(&trial->value, tail.data, tail.length);
    return !trial->value.failed &&
           pattern_match(trial->pattern, trial->scratch,
                         (struct span){trial->value.data, trial->value.length}) == MATCH_LIMIT;
}

static void add(struct text *out, struct span bytes)
{
    text_add(out, bytes.data, bytes.length);
}

/* Tries each end, with and without the text of the pattern itself behind it: that holds what PCRE2 looks for
 * in a value before it begins. */
static bool try_ends(struct trial *trial, const struct walk_loop *loop, const struct span *again,
                     struct blowup *blowup)
{
    const struct span source = span_of(pattern_source(trial->pattern));

    for (size_t i = 0; i < 2 * sizeof ends / sizeof *ends; i++) {
        struct span end = span_of(ends[i / 2]), tail = i % 2 != 0 ? source : span_of("");
        if (!blows_up(trial, loop->before, again, end, tail))
            continue;
        add(&blowup->part, loop->part);
        add(&blowup->before, loop->before);
        add(&blowup->again, again[0]);
        add(&blowup->again, again[1]);
        add(&blowup->behind, end);
        add(&blowup->behind, tail);
        blowup->times = TIMES;
        return true;
    }
    return false;
}

static bool try_pieces(struct trial *trial, const struct walk_loop *loop, bool two, struct blowup *blowup)
{
    const struct pattern_walk *walk = trial->walk;
    size_t firsts = two && walk->piece_count > PAIRS ? PAIRS : walk->piece_count;
    size_t seconds = two ? firsts : 1;

    for (size_t i = 0; i < firsts && !trial->exhausted; i++)
        for (size_t j = 0; j < seconds; j++) {
            const struct span again[] = {walk->pieces[i], two ? walk->pieces[j] : span_of("")};
            if ((!two || i != j) && try_ends(trial, loop, again, blowup))
                return true;
        }
    return false;
}

static bool try_all(struct trial *trial, struct blowup *blowup)
{
    for (int two = 0; two < 2; two++)
        for (size_t i = 0; i < trial->walk->loop_count && !trial->exhausted; i++)
            if (try_pieces(trial, &trial->walk->loops[i], two != 0, blowup))
                return true;
    return false;
}

enum blowup_verdict pattern_blowup(const struct pattern *pattern, struct pattern_scratch *scratch,
                                   size_t *matches, struct blowup *blowup)
{
    struct pattern_walk walk;
    struct trial trial = {.pattern = pattern, .scratch = scratch, .walk = &walk, .matches = matches};

    *blowup = (struct blowup){.times = 0};
    pattern_walk(&walk, span_of(pattern_source(pattern)), scratch);
    bool found = !walk.failed && try_all(&trial, blowup);
    bool failed = walk.failed || trial.exhausted || trial.value.failed || blowup->part.failed ||
                  blowup->before.failed || blowup->again.failed || blowup->behind.failed;

    pattern_walk_free(&walk);
    text_free(&trial.value);
    if (found && !failed)
        return BLOWUP_FOUND;
    blowup_free(blowup);
    return failed ? BLOWUP_UNSURE : BLOWUP_NONE;
}

void blowup_free(struct blowup *blowup)
{
    text_free(&blowup->part);
    text_free(&blowup->before);
    text_free(&blowup->again);
    text_free(&blowup->behind);
}
