#include "proxy/console/explain.h"

#include "policies/rules_report.h"
#include "proxy/console/obliged.h"

static const char *state_name(const struct gate_report *report)
{
    switch (report->state) {
    case GATE_PASSED:
        return "passed";
    case GATE_REFUSED:
        return "refused";
    case GATE_OBSERVED:
        return "observed";
    case GATE_NEEDS:
        return "needs facts";
    default:
        return "not reached";
    }
}

#define OBLIGATIONS 64

/* Stands in for every secret of the body. */
static void hide(void *arg, struct span secret, struct text *out)
{
    (void)arg;
    (void)secret;
    text_add_string(out, "(secret)");
}

static void add_span(struct text *out, struct span span)
{
    if (span.length > 0)
        text_add(out, span.data, span.length);
}

static const struct credential_source *held_credential(const struct explanation *explanation)
{
    size_t count;
    const struct credential_source *sources = policy_credentials(explanation->input->policy, &count);
    int index = explanation->decision->credential;

    return index >= 0 && (size_t)index < count ? &sources[index] : NULL;
}

static const char *source_kind(const struct credential_source *source)
{
    return source->kind == CREDENTIAL_ENV ? "env" : "file";
}

static void write_gates(const struct explanation *explanation, struct text *out)
{
    for (size_t i = 0; i < explanation->report_count; i++) {
        const struct gate_report *report = &explanation->reports[i];
        text_add_format(out, "%-12s %-12s %s\n", report->gate, state_name(report),
                        report->looked_at ? report->looked_at : "");
    }
    if (explanation->report_count > 0)
        text_add_string(out, "\n");
}

/* Rules, where their gate was asked. */
static size_t rules_asked(const struct explanation *explanation)
{
    return explanation->rules_reached ? policy_rule_count(explanation->input->policy) : 0;
}

static struct rule_report report_of(const struct explanation *explanation, size_t rule)
{
    return rule_report(explanation->input, explanation->request, explanation->decision, rule);
}

static void write_rules(const struct explanation *explanation, struct text *out)
{
    size_t count = rules_asked(explanation);

    for (size_t i = 0; i < count; i++) {
        const struct rule_report report = report_of(explanation, i);
        text_add_format(out, "rule %-20s %-9s %s", report.rule->id, rule_outcome_name(report.outcome),
                        report.by ? report.by : rule_effect_name(report.rule->effect));
        if (report.at != NULL)
            text_add_format(out, " looks at %s", report.at);
        text_add_string(out, "\n");
    }
    if (count > 0)
        text_add_string(out, "\n");
}

static void write_refusal(const struct refusal *refusal, struct text *out)
{
    text_add_format(out, "refused: %d %s (%s)\n", refusal->status, refusal->code, refusal->title);
    for (const struct refusal_error *error = refusal->errors; error != NULL; error = error->next) {
        text_add_format(out, "  %s", error->detail);
        if (error->pointer != NULL)
            text_add_format(out, " (at %s)", error->pointer[0] != '\0' ? error->pointer : "the whole body");
        if (error->parameter != NULL)
            text_add_format(out, " (parameter %s)", error->parameter);
        text_add_string(out, "\n");
    }
    for (const struct refusal_member *member = refusal->meta; member != NULL; member = member->next)
        text_add_format(out, "  %s: %s\n", member->name, member->value);
    for (const struct refusal_member *field = refusal->fields; field != NULL; field = field->next)
        text_add_format(out, "  answer field %s: %s\n", field->name, field->value);
}

/* What the gate does for an obligation. */
static const char *obligation_meaning(const char *name)
{
    if (strcmp(name, "journal") == 0)
        return "only after its intent is on disk in the audit journal";
    if (strcmp(name, "break-glass") == 0)
        return "one of the principal's is spent, and the alarm is raised first";
    return strncmp(name, "approval", 8) == 0 ? "only when enough people have approved"
                                             : "one is spent from the budget";
}

/* What would help against a refusal. */
static void write_help(const struct explanation *explanation, struct text *out)
{
    const struct decision *decision = explanation->decision;
    const char *hindrance = explain_hindrance(explanation->input->policy, decision);
    struct text grant = {0};

    if (explain_grant(decision, &grant) && !grant.failed) {
        text_add_string(out, "smallest grant that would pass this gate, in `grants` of ");
        add_span(out, decision->organization);
        text_add_format(out, ":\n  %s\n", grant.data);
    } else if (hindrance != NULL) {
        text_add_format(out, "no grant helps: %s of the policy would have to be changed\n", hindrance);
    }
    text_free(&grant);
}

static void write_pass(const struct explanation *explanation, struct text *out)
{
    const struct decision *decision = explanation->decision;
    const struct credential_source *source = held_credential(explanation);

    text_add_string(out, "passed: would be forwarded as\n  ");
    add_span(out, explanation->request->method);
    text_add_string(out, " ");
    add_span(out, decision->forward);
    if (source == NULL)
        text_add_string(out, "\n  with the client's own token");
    else
        text_add_format(out, "\n  with the credential that the gate holds (%s %s)", source_kind(source),
                        source->name);
    if (decision->body != NULL) {
        text_add_string(out, "\n  and the body ");
        schema_write_masked(decision->operation->body, decision->body, hide, NULL, out);
    }
    text_add_string(out, "\n");
    const char *names[OBLIGATIONS];
    size_t count = obliged_names(decision, names, OBLIGATIONS);
    for (size_t i = 0; i < count; i++)
        text_add_format(out, "  %s: %s\n", names[i], obligation_meaning(names[i]));
    const char *observed = observed_by(explanation->input->policy, &decision->observed);
    if (observed != NULL)
        text_add_format(out, "  NOT ENFORCED: %s would refuse it\n", observed);
}

void explain_write(const struct explanation *explanation, struct text *out)
{
    const struct decision *decision = explanation->decision;

    write_gates(explanation, out);
    write_rules(explanation, out);
    if (decision->verdict == VERDICT_PASS)
        write_pass(explanation, out);
    else
        write_refusal(&decision->refusal, out);
    write_help(explanation, out);
    text_add_format(out, "decided by: %s", decision->gate);
    if (decision->rule != NULL && decision->rule[0] != '\0')
        text_add_format(out, ", rule %s", decision->rule);
    text_add_string(out, "\n");
}

/* ,"name":"value", or null without a value. The first member of an object is written by its owner. */
static void member(struct text *out, const char *name, struct span value)
{
    text_add_format(out, ",\"%s\":", name);
    if (value.data == NULL)
        text_add_string(out, "null");
    else
        text_add_json(out, value);
}

static void write_gates_json(const struct explanation *explanation, struct text *out)
{
    text_add_string(out, ",\"gates\":[");
    for (size_t i = 0; i < explanation->report_count; i++) {
        const struct gate_report *report = &explanation->reports[i];
        text_add_format(out, "%s{\"state\":\"%s\"", i > 0 ? "," : "", state_name(report));
        member(out, "gate", span_of(report->gate));
        member(out, "looked_at", span_of(report->looked_at));
        text_add_string(out, "}");
    }
    text_add_string(out, "]");
}

static void write_rules_json(const struct explanation *explanation, struct text *out)
{
    size_t count = rules_asked(explanation);

    text_add_string(out, ",\"rules\":[");
    for (size_t i = 0; i < count; i++) {
        const struct rule_report report = report_of(explanation, i);
        text_add_format(out, "%s{\"outcome\":\"%s\"", i > 0 ? "," : "", rule_outcome_name(report.outcome));
        member(out, "id", span_of(report.rule->id));
        member(out, "effect", span_of(rule_effect_name(report.rule->effect)));
        member(out, "by", span_of(report.by));
        member(out, "at", span_of(report.at));
        text_add_string(out, "}");
    }
    text_add_string(out, "]");
}

static void write_members_json(struct text *out, const char *name, const struct refusal_member *members)
{
    text_add_format(out, ",\"%s\":{", name);
    for (const struct refusal_member *at = members; at != NULL; at = at->next) {
        text_add_string(out, at == members ? "" : ",");
        text_add_json(out, span_of(at->name));
        text_add_string(out, ":");
        text_add_json(out, span_of(at->value));
    }
    text_add_string(out, "}");
}

static void write_refusal_json(const struct refusal *refusal, struct text *out)
{
    text_add_format(out, ",\"refusal\":{\"status\":%d", refusal->status);
    member(out, "code", span_of(refusal->code));
    member(out, "title", span_of(refusal->title));
    text_add_string(out, ",\"errors\":[");
    for (const struct refusal_error *error = refusal->errors; error != NULL; error = error->next) {
        text_add_string(out, error == refusal->errors ? "{\"detail\":" : ",{\"detail\":");
        text_add_json(out, span_of(error->detail));
        member(out, "pointer", span_of(error->pointer));
        member(out, "parameter", span_of(error->parameter));
        text_add_string(out, "}");
    }
    text_add_string(out, "]");
    write_members_json(out, "meta", refusal->meta);
    write_members_json(out, "fields", refusal->fields);
    text_add_string(out, "}");
}

static void write_pass_json(const struct explanation *explanation, struct text *out)
{
    const struct decision *decision = explanation->decision;
    const struct credential_source *source = held_credential(explanation);

    text_add_string(out, ",\"forward\":{\"method\":");
    text_add_json(out, explanation->request->method);
    member(out, "target", decision->forward);
    if (source == NULL)
        text_add_string(out, ",\"credential\":null");
    else {
        text_add_format(out, ",\"credential\":{\"%s\":", source_kind(source));
        text_add_json(out, span_of(source->name));
        text_add_string(out, "}");
    }
    text_add_string(out, ",\"body\":");
    if (decision->body == NULL)
        text_add_string(out, "null");
    else
        schema_write_masked(decision->operation->body, decision->body, hide, NULL, out);
    text_add_string(out, ",\"obligations\":[");
    const char *names[OBLIGATIONS];
    size_t count = obliged_names(decision, names, OBLIGATIONS);
    for (size_t i = 0; i < count; i++) {
        text_add_string(out, i > 0 ? "," : "");
        text_add_json(out, span_of(names[i]));
    }
    text_add_string(out, "]");
    member(out, "would_refuse", span_of(observed_by(explanation->input->policy, &decision->observed)));
    text_add_string(out, "}");
}

static void write_help_json(const struct explanation *explanation, struct text *out)
{
    struct text grant = {0};

    if (explain_grant(explanation->decision, &grant) && !grant.failed)
        text_add_format(out, ",\"grant\":%s", grant.data);
    else
        text_add_string(out, ",\"grant\":null");
    member(out, "hindrance", span_of(explain_hindrance(explanation->input->policy, explanation->decision)));
    text_free(&grant);
}

void explain_write_json(const struct explanation *explanation, struct text *out)
{
    const struct decision *decision = explanation->decision;
    bool passed = decision->verdict == VERDICT_PASS;

    text_add_format(out, "{\"verdict\":\"%s\"", passed ? "pass" : "refuse");
    member(out, "gate", span_of(decision->gate));
    member(out, "rule", span_of(decision->rule));
    member(out, "principal", span_of(decision->principal ? decision->principal->name : NULL));
    member(out, "operation", span_of(decision->operation ? decision->operation->id : NULL));
    member(out, "organization", decision->organization);
    member(out, "resource", decision->resource);
    member(out, "version", decision->version);
    write_gates_json(explanation, out);
    write_rules_json(explanation, out);
    if (passed)
        write_pass_json(explanation, out);
    else
        write_refusal_json(&decision->refusal, out);
    write_help_json(explanation, out);
    text_add_string(out, "}\n");
}
