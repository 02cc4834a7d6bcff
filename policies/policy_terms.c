/* The members `not_before` and `not_after` of tokens and grants: when they may be used. */
#include "policies/policy_compiler.h"

#include <stdlib.h>

#define SOON_DAYS 14 /* what ends within them is warned of */

#define LIVE_TOKENS 2 /* at once: the old one and its successor */

/* Reads a bound; false with a note where it is none, and without one where it is missing. */
static bool bound_read(struct compiler *compiler, const struct place *above, json_t *object, const char *name,
                       int64_t *bound)
{
    const struct place place = {.above = above, .member = name};
    json_t *value = json_object_get(object, name);

    if (value == NULL)
        return false;
    if (json_is_string(value) && moment_read(string_span(value), bound))
        return true;
    note_error(compiler, &place, "must be a moment, " MOMENT_FORM);
    return false;
}

/* The array grows by doubling: when its count is a power of two, it is full. */
static uint32_t term_add(struct compiler *compiler, const struct term *term)
{
    struct policy *policy = compiler->policy;
    size_t count = policy->term_count;

    if ((count & (count - 1)) == 0) {
        struct term *more = realloc(policy->terms, 2 * count * sizeof *more);
        if (more == NULL) {
            note_memory(compiler);
            return ALWAYS;
        }
        policy->terms = more;
    }
    policy->terms[count] = *term;
    return policy->term_count++;
}

uint32_t term_compile(struct compiler *compiler, const struct place *above, json_t *object)
{
    struct term term = {MOMENT_FIRST, MOMENT_LAST};
    bool begins = bound_read(compiler, above, object, "not_before", &term.not_before);
    bool ends = bound_read(compiler, above, object, "not_after", &term.not_after);

    if (begins && ends && term.not_after < term.not_before)
        note_error(compiler, above, "ends (not_after) before it begins (not_before): it is never good");
    return begins || ends ? term_add(compiler, &term) : ALWAYS;
}

/* ---- what the calendar says of a policy that compiled ---- */

/* The compiler is there for its notes alone. */
struct calendar {
    struct compiler compiler;
    int64_t now;
};

/* When the object, a token or a grant, may be used; any other value has no bounds. */
static struct term term_of(json_t *value)
{
    struct term term = {MOMENT_FIRST, MOMENT_LAST};

    (void)moment_read(string_span(json_object_get(value, "not_before")), &term.not_before);
    (void)moment_read(string_span(json_object_get(value, "not_after")), &term.not_after);
    return term;
}

static void warn_of_end(struct calendar *calendar, const struct place *place, const struct term *term)
{
    const int64_t left = term->not_after - calendar->now;
    char end[MOMENT_TEXT_SIZE];

    if (term->not_after == MOMENT_LAST || left > SOON_DAYS * MOMENT_DAY)
        return;
    moment_write(term->not_after, end);
    if (left < 0)
        note_warning(&calendar->compiler, place, "expired at %s: it is good for nothing any more", end);
    else
        note_warning(&calendar->compiler, place, "expires at %s, in %d day%s or less", end,
                     left == 0 ? 1 : (int)((left + MOMENT_DAY - 1) / MOMENT_DAY),
                     left <= MOMENT_DAY ? "" : "s");
}

static void tokens_check(struct calendar *calendar, const struct place *principal, json_t *list)
{
    const struct place place = {.above = principal, .member = "tokens"};
    unsigned live = 0;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const struct place here = {.above = &place, .element = i};
        const struct term term = term_of(json_array_get(list, i));

        warn_of_end(calendar, &here, &term);
        live += term_at(&term, calendar->now) == TERM_RUNNING;
    }
    if (live > LIVE_TOKENS)
        note_warning(&calendar->compiler, &place,
                     "%u tokens are good at once: one, and beside it its successor for a while, is enough",
                     live);
}

static void grants_check(struct calendar *calendar, const struct place *organization, json_t *list)
{
    const struct place place = {.above = organization, .member = "grants"};

    for (size_t i = 0; i < json_array_size(list); i++) {
        const struct place here = {.above = &place, .element = i};
        const struct term term = term_of(json_array_get(list, i));

        warn_of_end(calendar, &here, &term);
    }
}

void policy_terms_check(const struct policy *policy, const struct document *document, int64_t now,
                        struct problems *problems)
{
    struct calendar calendar = {.compiler = {.document = document, .problems = problems}, .now = now};
    const struct place root = {0}, principals = {.above = &root, .member = "principals"},
                       organizations = {.above = &root, .member = "organizations"};
    const char *name;
    json_t *value;

    json_object_foreach (json_object_get(document->root, "principals"), name, value) {
        const struct place here = {.above = &principals, .member = name};
        tokens_check(&calendar, &here, json_object_get(value, "tokens"));
    }
    /* Where there are no bounds at all, a million grants need not be looked at. */
    json_t *bounded = policy->term_count > 1 ? json_object_get(document->root, "organizations") : NULL;
    json_object_foreach (bounded, name, value) {
        const struct place here = {.above = &organizations, .member = name};
        grants_check(&calendar, &here, json_object_get(value, "grants"));
    }
    note_rest(&calendar.compiler);
}
