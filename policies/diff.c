#include "policies/diff.h"

#include "policies/diff_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *change_sense_name(enum change_sense sense)
{
    static const char *const names[CHANGE_SENSES] = {"gained", "may-be-gained", "lost", "changed"};

    return names[sense];
}

void diff_tell(struct diff *diff, const struct change *change)
{
    if (!diff->failed)
        diff->sink(diff->arg, change);
    diff->told++;
    arena_reset(&diff->arena);
}

const char *diff_text(struct diff *diff, const char *format, ...)
{
    char *made = NULL;
    va_list arguments;
    const char *text = NULL;

    va_start(arguments, format);
    if (vasprintf(&made, format, arguments) >= 0) {
        text = arena_copy(&diff->arena, span_of(made)).data;
        free(made);
    }
    va_end(arguments);
    diff->failed = diff->failed || text == NULL;
    return text != NULL ? text : "";
}

/* Is `now` within `before` whatever is asked? The bucket holds `requests` and is filled anew in `seconds`. */
static bool is_within(struct rate_limit now, struct rate_limit before)
{
    return now.requests <= before.requests &&
           (uint64_t)now.requests * before.seconds <= (uint64_t)before.requests * now.seconds;
}

static const char *limit_text(struct diff *diff, struct rate_limit limit)
{
    return limit.requests == 0 ? NULL : diff_text(diff, "%u in %u s", limit.requests, limit.seconds);
}

void diff_limit(struct diff *diff, const char *what, const char *subject, struct rate_limit before,
                struct rate_limit after, bool none_is_free)
{
    enum change_sense sense;

    if (before.requests == after.requests && before.seconds == after.seconds)
        return;
    if (before.requests == 0)
        sense = none_is_free ? CHANGE_LOST : CHANGE_GAINED;
    else if (after.requests == 0)
        sense = none_is_free ? CHANGE_GAINED : CHANGE_LOST;
    else
        sense = is_within(after, before)   ? CHANGE_LOST
                : is_within(before, after) ? CHANGE_GAINED
                                           : CHANGE_MAYBE;
    diff_tell(diff, &(struct change){.sense = sense,
                                     .what = what,
                                     .subject = subject,
                                     .before = limit_text(diff, before),
                                     .after = limit_text(diff, after)});
}

const struct operation *diff_operation(const struct contract *contract, const char *id)
{
    size_t count;
    const struct operation *operations = contract_operations(contract, &count);

    for (size_t i = 0; i < count; i++)
        if (strcmp(operations[i].id, id) == 0)
            return &operations[i];
    return NULL;
}

/* Cells come last: they can be many. */
static void (*const parts[])(struct diff *diff) = {
    diff_settings, diff_principals, diff_identities, diff_organizations,
    diff_contract, diff_rules,      diff_rest,       diff_cells,
};

bool policy_diff(const struct diff_side *old, const struct diff_side *new, change_sink *sink, void *arg)
{
    struct diff diff = {.old = *old, .new = *new, .sink = sink, .arg = arg, .scratch = pattern_scratch_new()};

    arena_init(&diff.arena);
    diff.failed = diff.scratch == NULL;
    for (size_t i = 0; i < sizeof parts / sizeof *parts && !diff.failed; i++)
        parts[i](&diff);
    arena_reset(&diff.arena);
    pattern_scratch_free(diff.scratch);
    return !diff.failed;
}
