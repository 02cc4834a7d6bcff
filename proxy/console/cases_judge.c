/* What a policy says to a case, beside what the case expects. */
#include "proxy/console/cases.h"
#include "proxy/console/obliged.h"

const char *case_verdict_name(enum case_verdict verdict)
{
    static const char *const names[] = {[CASE_UNSAID] = "", [CASE_ALLOW] = "allow", [CASE_REFUSE] = "refuse"};

    return names[verdict];
}

void case_find(const struct policy *policy, const struct decision *decision, struct case_finding *finding)
{
    bool refused = decision->verdict != VERDICT_PASS;

    *finding = (struct case_finding){
        .verdict = refused ? CASE_REFUSE : CASE_ALLOW,
        .gate = decision->gate,
        .rule = rule_named_by(policy, decision->rule),
        .status = refused ? decision->refusal.status : 0,
        .code = refused ? decision->refusal.code : NULL,
        .would_refuse = refused ? NULL : observed_by(policy, &decision->observed),
    };
    if (!refused)
        finding->obligation_count = obliged_names(decision, finding->obligations, CASE_OBLIGATIONS);
}

static bool add(struct case_difference ***last, struct arena *arena, const char *what, const char *expected,
                const char *found)
{
    struct case_difference *difference = arena_take(arena, sizeof *difference);

    if (difference == NULL)
        return false;
    *difference = (struct case_difference){.what = what, .expected = expected, .found = found ? found : ""};
    **last = difference;
    *last = &difference->next;
    return true;
}

static bool has(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* Is each one of either list in the other? */
static bool same_names(const char *const *a, size_t a_count, const char *const *b, size_t b_count)
{
    for (size_t i = 0; i < a_count; i++)
        if (!has(b, b_count, a[i]))
            return false;
    for (size_t i = 0; i < b_count; i++)
        if (!has(a, a_count, b[i]))
            return false;
    return true;
}

static const char *list_names(const char *const *names, size_t count, struct arena *arena)
{
    struct text text = {0};

    text_add(&text, "", 0);
    for (size_t i = 0; i < count; i++)
        text_add_format(&text, "%s%s", i > 0 ? ", " : "", names[i]);
    const char *list = text.failed ? NULL : arena_copy(arena, (struct span){text.data, text.length}).data;
    text_free(&text);
    return list ? list : "";
}

static const char *status_name(int status, struct arena *arena)
{
    const char *name = status > 0 ? arena_format(arena, "%d", status) : "";

    return name ? name : "";
}

bool case_compare(const struct case_expectation *expect, const struct case_finding *finding,
                  struct arena *arena, struct case_difference **differences)
{
    const struct {
        const char *what, *expected, *found;
    } words[] = {
        {"verdict", expect->verdict == CASE_UNSAID ? NULL : case_verdict_name(expect->verdict),
         case_verdict_name(finding->verdict)},
        {"gate", expect->gate, finding->gate},
        {"rule", expect->rule, finding->rule},
        {"status", expect->status > 0 ? status_name(expect->status, arena) : NULL,
         status_name(finding->status, arena)},
        {"code", expect->code, finding->code},
        {"would_refuse", expect->would_refuse, finding->would_refuse},
    };
    struct case_difference **last = differences;
    bool right = true;

    *differences = NULL;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].expected != NULL &&
            (words[i].found == NULL || strcmp(words[i].expected, words[i].found) != 0))
            right = right && add(&last, arena, words[i].what, words[i].expected, words[i].found);
    if (expect->obligations != NULL && !same_names(expect->obligations, expect->obligation_count,
                                                   finding->obligations, finding->obligation_count))
        right = right && add(&last, arena, "obligations",
                             list_names(expect->obligations, expect->obligation_count, arena),
                             list_names(finding->obligations, finding->obligation_count, arena));
    return right;
}
