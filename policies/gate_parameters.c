/* Are the parameters in path and query as the contract describes them? All that is wrong is said at once. */
#include "policies/gate.h"

static const struct parameter *query_parameter(const struct operation *operation, struct span name)
{
    for (size_t i = 0; i < operation->query_count; i++)
        if (span_is(name, operation->query[i].name))
            return &operation->query[i];
    return NULL;
}

/* "a, b, c" */
static const char *parameter_names(const struct operation *operation, struct arena *arena)
{
    const char *names = "version";

    for (size_t i = 0; i < operation->query_count && names != NULL; i++)
        if (strcmp(operation->query[i].name, "version") != 0)
            names = arena_format(arena, "%s, %s", names, operation->query[i].name);
    return names;
}

static void complain(struct decision *out, const char *detail, const char *parameter)
{
    if (out->refusal.code == NULL)
        refusal_begin(&out->refusal, REFUSE_PARAMETER);
    refusal_add(&out->refusal, out->arena, detail, NULL, parameter);
}

static void check_path(const struct decide_input *input, struct decision *out)
{
    const struct operation *operation = out->operation;

    for (size_t i = 0; i < operation->segment_count; i++) {
        const struct parameter *parameter = &operation->segments[i].parameter;
        bool uuid = (out->target.uuids >> i & 1) != 0;
        if (operation->segments[i].literal.data != NULL || (uuid && schema_takes_uuids(parameter->schema)))
            continue;
        const char *detail =
            schema_validate_text(parameter->schema, out->target.segments[i], input->scratch, out->arena);
        if (detail != NULL)
            complain(out, detail, parameter->name);
    }
}

static void check_query(const struct decide_input *input, struct decision *out)
{
    for (size_t i = 0; i < out->target.parameter_count; i++) {
        const struct target_parameter *given = &out->target.parameters[i];
        const struct parameter *parameter = query_parameter(out->operation, given->name);
        const char *detail = NULL;

        if (parameter != NULL)
            detail = schema_validate_text(parameter->schema, given->value, input->scratch, out->arena);
        else if (!span_is(given->name, "version")) /* the gate before this one has judged it */
            detail = arena_format(out->arena, "%s has no such query parameter; it has %s.",
                                  out->operation->id, parameter_names(out->operation, out->arena));
        else
            continue;
        if (detail != NULL)
            complain(out, detail, gate_string(out, given->name));
    }
}

static void check_missing(struct decision *out)
{
    for (size_t i = 0; i < out->operation->query_count; i++) {
        const struct parameter *parameter = &out->operation->query[i];
        if (parameter->required && target_parameter(&out->target, span_of(parameter->name)).data == NULL)
            complain(out, arena_format(out->arena, "%s needs this query parameter.", out->operation->id),
                     parameter->name);
    }
}

static void check_cursors(struct decision *out)
{
    if (target_parameter(&out->target, SPAN("starting_after")).data != NULL &&
        target_parameter(&out->target, SPAN("ending_before")).data != NULL)
        complain(out, "Only one of starting_after and ending_before may be given.", "ending_before");
}

enum verdict gate_parameters(const struct decide_input *input, const struct request *request,
                             struct decision *out)
{
    (void)request;
    check_path(input, out);
    check_query(input, out);
    check_missing(out);
    check_cursors(out);
    if (out->refusal.code == NULL)
        return VERDICT_PASS;
    out->rule = "contract-parameters";
    return VERDICT_REFUSE;
}

const char *describe_parameters(const struct decide_input *input, const struct decision *decision)
{
    size_t path = 0;

    (void)input;
    for (size_t i = 0; i < decision->operation->segment_count; i++)
        path += decision->operation->segments[i].literal.data == NULL;
    return arena_format(decision->arena, "%zu in the path and %zu in the query, all as the contract has them",
                        path, decision->target.parameter_count);
}
