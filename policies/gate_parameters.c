/* Are the parameters in path and query as the contract describes them? All that is wrong is said at once. */
#include "policies/gate.h"

/* Its place among the operation's query parameters; query_count where it is none of them. */
static size_t query_parameter(const struct operation *operation, struct span name)
{
    size_t i = 0;

    while (i < operation->query_count &&
           !span_equal(name, (struct span){operation->query[i].name, operation->query[i].length}))
        i++;
    return i;
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

    uint32_t settled = operation->uuids & out->target.uuids;

    for (uint32_t left = operation->parameters & ~settled; left != 0; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctz(left);
        const struct parameter *parameter = &operation->segments[i].parameter;
        const char *detail =
            schema_validate_text(parameter->schema, out->target.segments[i], input->scratch, out->arena);
        if (detail != NULL)
            complain(out, detail, parameter->name);
    }
}

/* One that the operation does not have; the version the gate before this one has judged. */
static void check_foreign(struct decision *out, struct span name)
{
    if (span_equal(name, SPAN("version")))
        return;
    complain(out,
             arena_format(out->arena, "%s has no such query parameter; it has %s.", out->operation->id,
                          parameter_names(out->operation, out->arena)),
             gate_string(out, name));
}

/* Which of the operation's query parameters are given? */
static uint64_t check_query(const struct decide_input *input, struct decision *out)
{
    uint64_t given = 0;

    for (size_t i = 0; i < out->target.parameter_count; i++) {
        const struct target_parameter *parameter = &out->target.parameters[i];
        size_t found = query_parameter(out->operation, parameter->name);
        if (found == out->operation->query_count) {
            check_foreign(out, parameter->name);
            continue;
        }
        const struct schema *schema = out->operation->query[found].schema;
        const char *detail = schema_takes_texts(schema, parameter->value.length)
                                 ? NULL
                                 : schema_validate_text(schema, parameter->value, input->scratch, out->arena);
        given |= UINT64_C(1) << found;
        if (detail != NULL)
            complain(out, detail, gate_string(out, parameter->name));
    }
    return given;
}

static void check_missing(struct decision *out, uint64_t given)
{
    for (uint64_t missing = out->operation->required & ~given; missing != 0; missing &= missing - 1)
        complain(out, arena_format(out->arena, "%s needs this query parameter.", out->operation->id),
                 out->operation->query[__builtin_ctzll(missing)].name);
}

static void check_cursors(struct decision *out, uint64_t given)
{
    uint64_t cursors = out->operation->cursors;

    if (cursors != 0 && (given & cursors) == cursors)
        complain(out, "Only one of starting_after and ending_before may be given.", "ending_before");
}

enum verdict gate_parameters(const struct decide_input *input, const struct request *request,
                             struct decision *out)
{
    (void)request;
    check_path(input, out);
    uint64_t given = check_query(input, out);
    check_missing(out, given);
    check_cursors(out, given);
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
