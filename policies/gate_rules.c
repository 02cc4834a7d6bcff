/* What do the policy's rules say? All that are about the request are looked at; the strictest decides. */
#include "policies/gate_rules.h"

#include "policies/rule_index.h"

/* What the rules that are about a request come to. */
struct weighing {
    struct outlook outlook;
    struct decision *decision;
    const struct rule *first[RULE_EFFECTS]; /* in the file, of those that apply or may apply */
    bool sure[RULE_EFFECTS];                /* that one applies */
    struct rule_due **approvals, **budgets; /* where the next one goes */
    bool failed;                            /* memory is out */
};

enum truth outlook_renames(struct outlook *outlook)
{
    static const char *const name[] = {"profile_name", NULL};
    const struct facts *facts = outlook->request->facts;
    const json_t *next = body_attribute(outlook->decision, name);

    if (next == NULL)
        return TRUTH_NO;
    if (facts == NULL || (facts->had & FACT_INTEGRATION) == 0) {
        if (facts == NULL || (facts->failed & FACT_INTEGRATION) == 0)
            outlook->needs |= FACT_INTEGRATION;
        return TRUTH_UNKNOWN;
    }
    const json_t *before = json_object_get(facts->attributes, name[0]);
    return before != NULL && json_equal(before, next) ? TRUTH_NO : TRUTH_YES;
}

/* Does the rule apply? Unknown: not before facts are had; they are noted as needed. What cannot be known
 * counts as what makes the rule apply. */
static enum truth applies(struct outlook *outlook, const struct rule *rule, bool rename)
{
    unsigned needed_before = outlook->needs;

    outlook->needs = 0;
    bool no = rename && outlook_renames(outlook) == TRUTH_NO;
    for (uint32_t i = 0; i < rule->when.count && !no; i++)
        no = condition_holds(outlook, &rule->when.items[i]) == TRUTH_NO;
    for (uint32_t i = 0; i < rule->unless.count && !no; i++)
        no = condition_holds(outlook, &rule->unless.items[i]) == TRUTH_YES;

    enum truth truth = no ? TRUTH_NO : outlook->needs != 0 ? TRUTH_UNKNOWN : TRUTH_YES;
    outlook->needs = needed_before | (no ? 0 : outlook->needs);
    return truth;
}

bool outlook_meets(const struct outlook *outlook, const struct rule *rule)
{
    const struct decision *decision = outlook->decision;
    bool requirement =
        rule->effect == RULE_BREAK_GLASS || rule->effect == RULE_REASON || rule->effect == RULE_APPROVAL;

    if (requirement && (decision->obligations & OBLIGE_BREAK_GLASS) != 0)
        return true;
    return rule->effect == RULE_REASON && decision->orders.reason.data != NULL &&
           pattern_match(rule->form, outlook->input->scratch, decision->orders.reason) == MATCH_YES;
}

static struct span budget_key(const struct decision *decision, const struct budget *budget)
{
    switch (budget->each) {
    case BUDGET_PRINCIPAL:
        return span_of(decision->principal->name);
    case BUDGET_ORGANIZATION:
        return decision->organization.data != NULL ? decision->organization : span_of("");
    case BUDGET_GATE:
    default:
        return span_of("");
    }
}

/* Notes that a rule is to be carried out. */
static void add_due(struct weighing *weighing, const struct rule *rule)
{
    struct rule_due ***end = rule->effect == RULE_APPROVAL ? &weighing->approvals : &weighing->budgets;
    struct rule_due *due = arena_take(weighing->decision->arena, sizeof *due);

    if (due == NULL) {
        weighing->failed = true;
        return;
    }
    *due = (struct rule_due){.rule = rule};
    if (rule->effect == RULE_BUDGET)
        due->key = budget_key(weighing->decision, &rule->budget);
    **end = due;
    *end = &due->next;
}

static void weigh(struct weighing *weighing, const struct rule *rule, bool rename)
{
    if (!rule_names_principal(rule, weighing->decision->principal) || outlook_meets(&weighing->outlook, rule))
        return;
    enum truth truth = applies(&weighing->outlook, rule, rename);
    if (truth == TRUTH_NO)
        return;
    if (weighing->first[rule->effect] == NULL) {
        weighing->first[rule->effect] = rule;
        weighing->sure[rule->effect] = truth == TRUTH_YES;
    }
    if (truth == TRUTH_YES && (rule->effect == RULE_APPROVAL || rule->effect == RULE_BUDGET))
        add_due(weighing, rule);
}

/* ---- refusals ---- */

/* How a rule of each effect refuses: what is said before its reason, and what way out there is behind it. */
static const struct {
    enum refusal_kind kind;
    const char *said, *way_out;
} refusals[RULE_EFFECTS] = {
    [RULE_DENY] = {REFUSE_DENIED, "denies this", "Nothing passes it."},
    [RULE_BREAK_GLASS] = {REFUSE_FROZEN, "lets nothing through now", "Only break-glass passes it."},
    [RULE_REASON] = {REFUSE_REASON, "demands a reason",
                     "Send the header field Portcullis-Reason with one in the form"},
    [RULE_APPROVAL] = {REFUSE_APPROVAL, "demands approval by others", "Nothing was asked of them."},
    [RULE_BUDGET] = {REFUSE_BUDGET, "allows no more of this for now", "Try again later."},
};

void rule_refuse(struct decision *out, const struct rule *rule)
{
    const char *form = rule->effect == RULE_REASON ? pattern_source(rule->form) : NULL;
    const char *detail =
        arena_format(out->arena, "The rule \"%s\" %s: %s %s%s%s", rule->id, refusals[rule->effect].said,
                     rule->reason, refusals[rule->effect].way_out, form ? " " : "", form ? form : "");

    (void)gate_refuse(out, refusals[rule->effect].kind, rule->pointer, detail, NULL, NULL);
    refusal_meta(&out->refusal, out->arena, "rule", rule->id);
    refusal_meta(&out->refusal, out->arena, "reason", rule->reason);
}

static enum verdict refuse_break_glass(struct decision *out)
{
    const char *detail =
        out->operation->effect == EFFECT_READ
            ? "Break-glass is for changes; leave the header field Portcullis-Break-Glass out of reads."
            : arena_format(out->arena,
                           "\"%s\" has no break_glass in the policy; leave the header field "
                           "Portcullis-Break-Glass out.",
                           out->principal->name);

    return gate_refuse(out, REFUSE_BREAK_GLASS, "break-glass", detail, NULL, NULL);
}

/* ---- the gate ---- */

static void oblige(struct decision *out)
{
    if (out->approvals != NULL)
        out->obligations |= OBLIGE_APPROVAL;
    if (out->budgets != NULL)
        out->obligations |= OBLIGE_BUDGET;
}

/* Where that is only observed, the request goes on: it spends from budgets, and nobody is asked to approve.
 */
static enum verdict refuse_by(struct decision *out, const struct rule *rule)
{
    out->approvals = NULL;
    if (!out->observing)
        out->budgets = NULL;
    oblige(out);
    rule_refuse(out, rule);
    return VERDICT_REFUSE;
}

/* The strictest of the rules that apply decides. One that is not sure yet and goes before it has to be sure
 * first: the answer does not depend on which facts were at hand. */
static enum verdict conclude(const struct weighing *weighing, struct decision *out)
{
    int last = out->observing ? RULE_APPROVAL : RULE_REASON;

    if (weighing->failed)
        return gate_refuse_memory(out);
    if (out->observing && weighing->outlook.needs != 0) /* what is spent there depends on them, too */
        last = RULE_DENY - 1;
    for (int effect = RULE_DENY; effect <= last; effect++) {
        if (weighing->first[effect] == NULL)
            continue;
        if (!weighing->sure[effect])
            break;
        return refuse_by(out, weighing->first[effect]);
    }
    out->needs = weighing->outlook.needs;
    out->approval = out->observing ? NULL : weighing->first[RULE_APPROVAL];
    oblige(out);
    return out->needs != 0 ? VERDICT_NEED : VERDICT_PASS;
}

static enum verdict weigh_all(const struct decide_input *input, const struct request *request,
                              struct decision *out)
{
    struct weighing weighing = {.outlook = {.input = input, .request = request, .decision = out},
                                .decision = out,
                                .approvals = &out->approvals,
                                .budgets = &out->budgets};
    struct rule_walk walk = rule_walk_begin(input->policy, out->operation, out->organization);
    const struct rule *rule;
    bool rename;

    while ((rule = rule_walk_next(&walk, &rename)) != NULL)
        weigh(&weighing, rule, rename);
    return conclude(&weighing, out);
}

enum verdict gate_rules(const struct decide_input *input, const struct request *request, struct decision *out)
{
    const struct rule_index *index = input->policy->rule_index;

    if (out->orders.break_glass.data != NULL) {
        if (out->operation->effect == EFFECT_READ || out->principal->break_glass.requests == 0)
            return refuse_break_glass(out);
        out->obligations |= OBLIGE_BREAK_GLASS;
    }
    if (index == NULL ? policy_rule_count(input->policy) == 0 : !rule_index_has(index, out->operation))
        return VERDICT_PASS;
    if (index == NULL || index->contract != input->contract)
        return gate_refuse(out, REFUSE_INTERNAL, "not-linked",
                           "The policy's rules were not linked to the contract; nothing was sent on.", NULL,
                           NULL);
    return weigh_all(input, request, out);
}

/* Adds "; <what> by <ids>" for a list of rules. */
static void add_dues(struct text *line, const char *what, const struct rule_due *due)
{
    for (const char *before = what; due != NULL; due = due->next, before = ", ")
        text_add_format(line, "%s%s", before, due->rule->id);
}

const char *describe_rules(const struct decide_input *input, const struct decision *decision)
{
    struct text line = {0};
    const struct rule_index *index = input->policy->rule_index;
    bool none = index == NULL || !rule_index_has(index, decision->operation);

    text_add_string(&line, none ? "none is about this operation" : "none refuses this");
    add_dues(&line, "; to be approved for ", decision->approvals);
    add_dues(&line, "; to be spent from ", decision->budgets);
    if ((decision->obligations & OBLIGE_BREAK_GLASS) != 0)
        text_add_string(&line, "; the glass is broken");
    const char *copy =
        line.failed ? NULL : arena_copy(decision->arena, (struct span){line.data, line.length}).data;
    text_free(&line);
    return copy;
}
