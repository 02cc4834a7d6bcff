/* Is it an API version that the policy allows? Every refusal is 400 and says what is allowed. */
#include "policies/fields.h"
#include "policies/gate.h"

static void add_date(struct text *words, const char *before, uint32_t date, const char *after)
{
    if (date != 0)
        text_add_format(words, "%s%04u-%02u-%02u%s", before, date / 10000, date / 100 % 100, date % 100,
                        after);
}

/* What the policy allows, as a sentence. */
static const char *allowed_sentence(const struct version_rules *rules, struct arena *arena)
{
    bool bare = rules->oldest == 0 && rules->newest == 0;
    const char *separator = "Allowed: ";
    struct text words = {0};

    for (unsigned i = STABILITY_COUNT; i-- > 0;) {
        const char *name = stability_name((enum stability)i);
        if (!rules->allowed[i])
            continue;
        text_add_format(&words, "%sYYYY-MM-DD", separator);
        separator = ", ";
        if (i != STABILITY_GA)
            text_add_format(&words, bare ? "~%s, %s" : "~%s", name, name);
    }
    add_date(&words, "; from ", rules->oldest, " on");
    add_date(&words, "; up to ", rules->newest, "");
    text_add_string(&words, ".");
    const char *sentence = words.failed ? NULL : arena_format(arena, "%s", words.data);
    text_free(&words);
    return sentence;
}

static enum verdict refuse(const struct decide_input *input, struct decision *out, const char *rule,
                           const char *reason)
{
    const char *allowed = allowed_sentence(policy_version_rules(input->policy), out->arena);
    const char *detail = allowed ? arena_format(out->arena, "%s %s", reason, allowed) : NULL;

    return gate_refuse(out, REFUSE_VERSION, rule, detail, NULL, "version");
}

bool gate_is_version_field(const struct policy *policy, struct span name)
{
    const struct version_rules *rules = policy_version_rules(policy);

    if ((rules->header_lengths >> (name.length < 63 ? name.length : 63) & 1) == 0)
        return false;
    for (const struct span *at = rules->headers; at->data != NULL; at++)
        if (field_name_equal(name, *at))
            return true;
    return false;
}

/* Finds the version wherever it may stand: in the query, in one of the header fields, or the same in several.
 */
static enum verdict collect(const struct decide_input *input, const struct request *request,
                            struct decision *out)
{
    struct span found = target_parameter(&out->target, SPAN("version"));

    for (size_t i = 0; i < request->field_count; i++) {
        const struct field *field = &request->fields[i];
        if (!gate_is_version_field(input->policy, field->name))
            continue;
        if (found.data == NULL)
            found = field->value;
        else if (!span_equal(found, field->value))
            return refuse(input, out, "version-differs",
                          "The version in the query and those in header fields must be the same.");
    }
    if (found.data == NULL)
        return refuse(input, out, "no-version",
                      "The request names no API version: add the query parameter \"version\".");
    out->version = found;
    return VERDICT_PASS;
}

static enum verdict check_form(const struct decide_input *input, struct decision *out,
                               struct version *version)
{
    const struct version_rules *rules = policy_version_rules(input->policy);

    switch (pattern_match(rules->pattern, input->scratch, out->version)) {
    case MATCH_YES:
        if (version_parse(out->version, version))
            return VERDICT_PASS;
        return refuse(input, out, "version-form", "The version is neither a date nor a stability, nor both.");
    case MATCH_NO:
        return refuse(input, out, "/api_versions/pattern",
                      "The version does not have the form that the policy demands.");
    case MATCH_LIMIT:
    default:
        return refuse(input, out, "/api_versions/pattern",
                      "The version could not be matched within the gate's bounds.");
    }
}

static enum verdict check_rules(const struct decide_input *input, struct decision *out,
                                const struct version *version)
{
    const struct version_rules *rules = policy_version_rules(input->policy);
    const char *reason;

    if (version->date == 0 && (rules->oldest != 0 || rules->newest != 0))
        return refuse(input, out, rules->oldest ? "/api_versions/oldest" : "/api_versions/newest",
                      "A stability alone has no date, and the policy bounds the date.");
    if (version->date != 0 && rules->calendar && !version_date_is_real(version->date))
        return refuse(input, out, "/api_versions/calendar", "The version's date is not in the calendar.");
    if (version->date != 0 && version->date < rules->oldest)
        return refuse(input, out, "/api_versions/oldest", "The version is older than the policy allows.");
    if (rules->newest != 0 && version->date > rules->newest)
        return refuse(input, out, "/api_versions/newest", "The version is newer than the policy allows.");
    if (!rules->allowed[version->stability]) {
        reason = arena_format(out->arena, "The policy does not allow the stability %s.",
                              stability_name(version->stability));
        return refuse(input, out, "/api_versions/stability", reason ? reason : "");
    }
    return VERDICT_PASS;
}

/* The query form is what is forwarded, wherever the client put it. */
static enum verdict put_into_query(struct decision *out)
{
    struct target *target = &out->target;

    if (target_parameter(target, SPAN("version")).data != NULL)
        return VERDICT_PASS;
    if (target->parameter_count == TARGET_PARAMETERS)
        return gate_refuse(out, REFUSE_PARAMETER, "too-many-parameters",
                           "The request has too many query parameters.", NULL, NULL);
    target->received.data = NULL;
    target->parameters[target->parameter_count++] =
        (struct target_parameter){.name = span_of("version"), .value = out->version};
    return VERDICT_PASS;
}

enum verdict gate_version(const struct decide_input *input, const struct request *request,
                          struct decision *out)
{
    struct version version = {0};
    enum verdict verdict = collect(input, request, out);

    if (verdict == VERDICT_PASS)
        verdict = check_form(input, out, &version);
    if (verdict == VERDICT_PASS)
        verdict = check_rules(input, out, &version);
    if (verdict == VERDICT_PASS)
        verdict = put_into_query(out);
    return verdict;
}

const char *describe_version(const struct decide_input *input, const struct decision *decision)
{
    (void)input;
    return arena_format(decision->arena, "version %.*s", (int)decision->version.length,
                        decision->version.data);
}
