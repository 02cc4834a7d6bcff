/* Which grants of a policy cases have put to the test: a grant counts when, at least once, it was the one
 * that let a request through, or the one whose denial refused it. */
#include "proxy/console/cases.h"

#include <stdlib.h>

#define NEVER_SHOWN 20 /* for a person; JSON has all of them */

bool coverage_begin(struct coverage *coverage, const struct policy *policy)
{
    coverage->grant_count = policy_grant_count(policy);
    coverage->grants = calloc(coverage->grant_count + 1, sizeof *coverage->grants);
    return coverage->grants != NULL;
}

void coverage_free(struct coverage *coverage)
{
    free(coverage->grants);
    *coverage = (struct coverage){0};
}

static void note_grant(struct coverage *coverage, const struct policy *policy, const char *pointer)
{
    uint32_t grant = pointer ? policy_grant_named(policy, pointer) : UINT32_MAX;

    if (grant != UINT32_MAX)
        coverage->grants[grant] = true;
}

void coverage_note(struct coverage *coverage, const struct decide_input *input,
                   const struct decision *decision)
{
    if (decision->verdict != VERDICT_PASS)
        note_grant(coverage, input->policy, decision->rule);
    else
        note_grant(coverage, input->policy,
                   policy_grant_pointer(input->policy, decision->principal, decision->listed,
                                        decision->operation->permission, false, decision->now,
                                        decision->arena));
}

struct coverage_count coverage_grants(const struct coverage *coverage)
{
    struct coverage_count count = {.all = coverage->grant_count};

    for (size_t i = 0; i < coverage->grant_count; i++)
        count.decisive += coverage->grants[i];
    return count;
}

unsigned coverage_percent(const struct coverage *coverage)
{
    struct coverage_count grants = coverage_grants(coverage);

    return grants.all == 0 ? 100 : (unsigned)(100 * grants.decisive / grants.all);
}

/* Calls show() for each that never decided, at most `most`; how many there are beyond. */
static size_t each_never(const struct coverage *coverage, const struct policy *policy, size_t most,
                         void (*show)(const char *name, size_t index, struct text *out), struct text *out)
{
    struct arena arena;
    size_t shown = 0, beyond = 0;

    arena_init(&arena);
    for (uint32_t i = 0; i < coverage->grant_count; i++) {
        if (coverage->grants[i])
            continue;
        if (shown == most) {
            beyond++;
            continue;
        }
        const char *name = policy_grant_name(policy, i, &arena);
        show(name ? name : "", shown++, out);
        arena_reset(&arena);
    }
    return beyond;
}

static void show_line(const char *name, size_t index, struct text *out)
{
    (void)index;
    text_add_format(out, "  never decisive: %s\n", name);
}

static void show_element(const char *name, size_t index, struct text *out)
{
    text_add_string(out, index > 0 ? "," : "");
    text_add_json(out, span_of(name));
}

void coverage_write(const struct coverage *coverage, const struct policy *policy, const char *path,
                    struct text *out)
{
    struct coverage_count grants = coverage_grants(coverage);

    text_add_format(out, "%s: %u%% covered: %zu of %zu grants were decisive\n", path,
                    coverage_percent(coverage), grants.decisive, grants.all);
    size_t beyond = each_never(coverage, policy, NEVER_SHOWN, show_line, out);
    if (beyond > 0)
        text_add_format(out, "  and %zu more (--json has all)\n", beyond);
}

void coverage_write_json(const struct coverage *coverage, const struct policy *policy, const char *path,
                         struct text *out)
{
    struct coverage_count grants = coverage_grants(coverage);

    text_add_string(out, "{\"policy\":");
    text_add_json(out, span_of(path));
    text_add_format(out, ",\"percent\":%u,\"grants\":{\"all\":%zu,\"decisive\":%zu,\"never\":[",
                    coverage_percent(coverage), grants.all, grants.decisive);
    (void)each_never(coverage, policy, SIZE_MAX, show_element, out);
    text_add_string(out, "]}}");
}
