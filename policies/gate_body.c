/* Is the content what the contract describes? All that is wrong is said at once, and no value is ever quoted.
 */
#include "policies/fields.h"
#include "policies/gate.h"
#include "policies/media_type.h"

static enum verdict check_media_type(const struct request *request, struct decision *out)
{
    const struct field *field = field_find(request, "Content-Type");
    const char *detail = "Send the content as application/vnd.api+json or application/json.";

    switch (field ? media_type_read(field->value) : MEDIA_TYPE_MALFORMED) {
    case MEDIA_TYPE_JSON:
        return VERDICT_PASS;
    case MEDIA_TYPE_CHARSET:
        detail = "The content must be in UTF-8: leave charset out, or make it utf-8.";
        break;
    case MEDIA_TYPE_MALFORMED:
        if (field != NULL)
            detail = "Content-Type is not a media type. Send the content as application/vnd.api+json.";
        break;
    case MEDIA_TYPE_OTHER:
    default:
        break;
    }
    (void)gate_refuse(out, REFUSE_MEDIA_TYPE, "media-type", detail, NULL, NULL);
    refusal_field(&out->refusal, out->arena, "Accept", "application/vnd.api+json, application/json");
    return VERDICT_REFUSE;
}

static enum verdict check_coding(const struct request *request, struct decision *out)
{
    const struct field *field = field_find(request, "Content-Encoding");

    if (field == NULL || span_equal_nocase(field->value, span_of("identity")))
        return VERDICT_PASS;
    (void)gate_refuse(out, REFUSE_MEDIA_TYPE, "content-coding",
                      "The content must not be compressed or otherwise encoded: leave Content-Encoding out.",
                      NULL, NULL);
    refusal_field(&out->refusal, out->arena, "Accept-Encoding", "identity");
    return VERDICT_REFUSE;
}

static enum verdict parse(const struct request *request, struct decision *out)
{
    struct json_fault fault;

    out->body = json_read_strict(request->body, DOCUMENT_DEPTH, &fault);
    if (out->body != NULL)
        return VERDICT_PASS;
    return gate_refuse(out, REFUSE_MALFORMED_BODY, "malformed-body",
                       arena_format(out->arena, "The body is not strict JSON: line %u, column %u: %s.",
                                    fault.line, fault.column, fault.message),
                       NULL, NULL);
}

/* Where the body names the resource, it must be that of the path. It then gets the path's spelling, which is
 * the one that was judged. */
static bool check_id(struct decision *out)
{
    json_t *id = json_object_get(json_object_get(out->body, "data"), "id");
    struct span text = {json_string_value(id), json_string_length(id)};

    if (out->operation->resource < 0 || !json_is_string(id))
        return true; /* of another type: for the schema to say */
    struct span resource = out->target.segments[out->operation->resource];
    if (!span_equal_nocase(text, resource)) {
        refusal_add(&out->refusal, out->arena, "The id in the body must be the one in the path.", "/data/id",
                    NULL);
        return false;
    }
    if (json_string_setn(id, resource.data, resource.length) != 0) {
        refusal_begin(&out->refusal, REFUSE_INTERNAL);
        return false;
    }
    return true;
}

static enum verdict check_content(const struct decide_input *input, struct decision *out)
{
    struct findings findings = {0};

    refusal_begin(&out->refusal, REFUSE_INVALID_BODY);
    bool valid = schema_validate(out->operation->body, out->body, input->scratch, out->arena, &findings);
    for (const struct finding *finding = findings.first; finding != NULL; finding = finding->next)
        refusal_add(&out->refusal, out->arena, finding->detail, finding->pointer, NULL);
    if (!check_id(out) || !valid) {
        out->rule = "contract-body";
        return VERDICT_REFUSE;
    }
    out->refusal = (struct refusal){0};
    return VERDICT_PASS;
}

/* Compact JSON, members in the client's order: this, and not the client's bytes, is what is sent on. */
static enum verdict serialise(const struct request *request, struct decision *out)
{
    const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
    size_t room =
        request->body.length; /* nearly always enough: escapes may be written longer than they came */
    char *bytes = arena_take(out->arena, room);
    size_t length = bytes != NULL ? json_dumpb(out->body, bytes, room, flags) : 0;

    if (length > room) {
        room = length;
        bytes = arena_take(out->arena, room);
        length = bytes != NULL ? json_dumpb(out->body, bytes, room, flags) : 0;
    }
    if (length == 0 || length > room)
        return gate_refuse_memory(out);
    out->content = (struct span){bytes, length};
    return VERDICT_PASS;
}

enum verdict gate_body(const struct decide_input *input, const struct request *request, struct decision *out)
{
    enum verdict verdict;

    if (out->operation->body == NULL)
        return VERDICT_PASS;
    if (request->body.length == 0)
        return out->operation->body_required
                   ? gate_refuse(out, REFUSE_INVALID_BODY, "no-body",
                                 arena_format(out->arena, "%s needs a body.", out->operation->id), "", NULL)
                   : VERDICT_PASS;
    verdict = check_coding(request, out);
    if (verdict == VERDICT_PASS)
        verdict = check_media_type(request, out);
    if (verdict == VERDICT_PASS)
        verdict = parse(request, out);
    if (verdict == VERDICT_PASS)
        verdict = check_content(input, out);
    if (verdict == VERDICT_PASS)
        verdict = serialise(request, out);
    return verdict;
}

const char *describe_body(const struct decide_input *input, const struct decision *decision)
{
    (void)input;
    if (decision->operation->body == NULL)
        return "none, as the contract has it";
    if (decision->content.data == NULL)
        return "none, which the contract allows";
    return arena_format(decision->arena, "%zu bytes of JSON, as the contract has them",
                        decision->content.length);
}
