#include "policies/gate.h"

/* The gates, in the order in which a request meets them. This table drives both the judgement and its
 * explanation. */
struct gate {
    const char *name;
    gate_check *check;
    gate_describe *describe;
};

static const struct gate gates[] = {
    {"spelling", gate_spelling, describe_spelling},
    {"operation", gate_operation, describe_operation},
    {"identity", gate_identity, describe_identity},
    {"version", gate_version, describe_version},
    {"parameters", gate_parameters, describe_parameters},
    {"permission", gate_permission, describe_permission},
    {"body", gate_body, describe_body},
    {"rules", gate_rules, describe_rules},
};

#define GATES (sizeof gates / sizeof *gates)

enum verdict gate_refuse(struct decision *out, enum refusal_kind kind, const char *rule, const char *detail,
                         const char *pointer, const char *parameter)
{
    out->rule = rule;
    refusal_begin(&out->refusal, kind);
    refusal_add(&out->refusal, out->arena, detail, pointer, parameter);
    return VERDICT_REFUSE;
}

enum verdict gate_refuse_memory(struct decision *out)
{
    out->rule = "out-of-memory";
    refusal_begin(&out->refusal, REFUSE_INTERNAL);
    return VERDICT_REFUSE;
}

const char *gate_string(struct decision *out, struct span text)
{
    return arena_copy(out->arena, text).data;
}

bool method_is_safe(struct span method)
{
    static const char *const safe[] = {"GET", "HEAD", "OPTIONS", "TRACE"};

    for (size_t i = 0; i < sizeof safe / sizeof *safe; i++)
        if (span_is(method, safe[i]))
            return true;
    return false;
}

int gate_credential(const struct decide_input *input, const struct decision *decision)
{
    int own = decision->principal->credential;

    return own != CREDENTIAL_OWN ? own : policy_organization_credential(input->policy, decision->listed);
}

bool decision_observe(struct decision *decision)
{
    if (!decision->observing || decision->verdict != VERDICT_REFUSE || !decision->refusal.observable)
        return false;
    if (decision->observed.gate == NULL)
        decision->observed =
            (struct observed){.gate = decision->gate, .rule = decision->rule, .refusal = decision->refusal};
    decision->refusal = (struct refusal){0};
    decision->verdict = VERDICT_PASS;
    return true;
}

/* What let a request pass that is only observed: the grant where there is one, else that nothing is enforced.
 */
static void let_pass(const struct decide_input *input, struct decision *out, const char *grant)
{
    out->rule = grant ? grant : policy_enforcement_pointer(input->policy, out->listed, out->arena);
    if (out->rule == NULL)
        out->verdict = gate_refuse_memory(out);
}

static void oblige(const struct decide_input *input, struct decision *out)
{
    if (out->operation->effect != EFFECT_READ)
        out->obligations |= OBLIGE_JOURNAL;
    out->credential = gate_credential(input, out);
    out->forward = target_spell(&out->target, out->arena);
    if (out->forward.data == NULL)
        out->verdict = gate_refuse_memory(out);
}

void decide(const struct decide_input *input, const struct request *request, struct arena *arena,
            struct decision *out)
{
    memset(out, 0, offsetof(struct decision, target));
    target_clear(&out->target);
    out->now = request->now;
    out->arena = arena;
    out->credential = CREDENTIAL_OWN;
    if (input->assume != NULL)
        out->principal = input->assume;
    else
        identify(input, request, out);
    for (size_t i = 0; i < GATES; i++) {
        const char *rule = out->rule;
        out->verdict = gates[i].check(input, request, out);
        if (out->verdict == VERDICT_PASS)
            continue;
        out->gate = gates[i].name;
        if (decision_observe(out))
            let_pass(input, out, rule);
        if (out->verdict != VERDICT_PASS)
            break;
    }
    if (out->verdict == VERDICT_PASS)
        out->gate = gates[GATES - 1].name;
    if (out->verdict != VERDICT_REFUSE)
        oblige(input, out);
}

void decision_free(struct decision *decision)
{
    json_decref(decision->body);
    decision->body = NULL;
}

size_t decide_report(const struct decide_input *input, const struct decision *decision,
                     struct gate_report *reports, size_t room)
{
    bool reached = true;

    for (size_t i = 0; i < GATES && i < room; i++) {
        struct gate_report *report = &reports[i];
        bool decided = decision->gate == gates[i].name;

        *report = (struct gate_report){.gate = gates[i].name, .state = GATE_NOT_REACHED, .looked_at = ""};
        if (!reached)
            continue;
        if (decided && decision->verdict == VERDICT_NEED) {
            report->state = GATE_NEEDS;
            report->looked_at = "what the API alone knows is needed first";
        } else if (decision->observed.gate == gates[i].name) {
            const struct refusal_error *error = decision->observed.refusal.errors;
            report->state = GATE_OBSERVED;
            report->looked_at = error && error->detail ? error->detail : decision->observed.refusal.title;
        } else if (decided && decision->verdict == VERDICT_REFUSE) {
            const struct refusal_error *error = decision->refusal.errors;
            report->state = GATE_REFUSED;
            report->looked_at = error && error->detail ? error->detail : decision->refusal.title;
        } else {
            const char *seen = gates[i].describe(input, decision);
            report->state = GATE_PASSED;
            report->looked_at = seen ? seen : "";
        }
        reached = !decided;
    }
    return GATES;
}
