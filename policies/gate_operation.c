/* Is this one of the contract's operations, and does it come with content only where that means something? */
#include "policies/gate.h"

static enum verdict refuse_path(const struct decide_input *input, struct decision *out)
{
    const char *base = contract_base(input->contract);
    struct span first = out->target.segment_count > 0 ? out->target.segments[0] : span_of("");
    size_t length = strcspn(base[0] == '/' ? base + 1 : base, "/");
    bool below = base[0] != '/' || span_equal(first, (struct span){base + 1, length});
    const char *detail = "The contract has no operation with this path. The request was not sent on.";

    if (!below)
        detail = arena_format(out->arena,
                              "The contract has no operation with this path; its paths begin with %s. "
                              "The request was not sent on.",
                              base);
    return gate_refuse(out, REFUSE_NO_OPERATION, "no-operation", detail, NULL, NULL);
}

static enum verdict refuse_method(struct decision *out, const char *allow)
{
    const char *detail =
        arena_format(out->arena,
                     "The contract has %s for this path, and no other method. The request was not "
                     "sent on.",
                     allow);
    (void)gate_refuse(out, REFUSE_METHOD, "no-method", detail, NULL, NULL);
    refusal_field(&out->refusal, out->arena, "Allow", allow);
    return VERDICT_REFUSE;
}

/* Is the segment at the index a UUID? -1 is no segment. */
static bool is_uuid_segment(const struct target *target, int index)
{
    return index >= 0 && (size_t)index < target->segment_count && (target->uuids >> index & 1) != 0;
}

/* Whose and what the request is about, where the path names it by a UUID; nothing else is looked up. */
static void find_objects(const struct policy *policy, struct decision *out)
{
    const struct target *target = &out->target;
    int organization = out->operation->organization, resource = out->operation->resource;

    if (is_uuid_segment(target, organization)) {
        out->organization = target->segments[organization];
        out->listed = policy_organization_by_id(policy, target->ids[organization]);
    }
    if (is_uuid_segment(target, resource))
        out->resource = target->segments[resource];
}

enum verdict gate_operation(const struct decide_input *input, const struct request *request,
                            struct decision *out)
{
    struct route_match match = {0};

    switch (contract_route(input->contract, request->method, out->target.segments, out->target.segment_count,
                           &match)) {
    case ROUTE_FOUND:
        break;
    case ROUTE_NO_METHOD:
        return refuse_method(out, match.allow);
    case ROUTE_NO_PATH:
    default:
        return refuse_path(input, out);
    }
    out->operation = match.operation;
    find_objects(input->policy, out);
    out->observing = policy_observes(input->policy, out->listed);
    if (request->has_content && match.operation->body == NULL)
        return gate_refuse(out, REFUSE_UNEXPECTED_CONTENT, "unexpected-content",
                           arena_format(out->arena, "%s takes no content; send the request without any.",
                                        match.operation->id),
                           NULL, NULL);
    return VERDICT_PASS;
}

const char *describe_operation(const struct decide_input *input, const struct decision *decision)
{
    const struct operation *operation = decision->operation;

    (void)input;
    return arena_format(decision->arena, "%s: %s %s", operation->id, operation->method, operation->path);
}
