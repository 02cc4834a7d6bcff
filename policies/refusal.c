#include "policies/refusal.h"

struct kind {
    int status;
    const char *code, *title;
    const char *detail; /* for a refusal that has no error of its own, for example because memory is out */
};

static const struct kind kinds[REFUSE_KINDS] = {
    [REFUSE_MALFORMED_TARGET] = {400, "portcullis-malformed-target", "Malformed request target",
                                 "The request target is not in the one spelling that the gate takes."},
    [REFUSE_REPEATED_FIELD] = {400, "portcullis-repeated-field", "Repeated header field",
                               "A header field that may stand once only stands there more often."},
    [REFUSE_UNEXPECTED_CONTENT] = {400, "portcullis-unexpected-content", "Unexpected content",
                                   "This operation takes no content; send the request without any."},
    [REFUSE_MALFORMED_FIELD] = {400, "portcullis-malformed-field", "Malformed header field",
                                "A header field is not in a form that the gate takes."},
    [REFUSE_NOT_THERE] = {404, "portcullis-no-such-integration", "No such integration",
                          "The API does not show this integration; the change was not sent."},
    [REFUSE_BROKERED] = {409, "portcullis-brokered", "Brokered integration",
                         "The integration goes through a broker, which must be switched off first."},
    [REFUSE_NO_REGISTRY] = {409, "portcullis-not-deletable", "Not deletable",
                            "Only integrations of container registries can be deleted."},
    [REFUSE_PRECONDITION] = {412, "portcullis-precondition-failed", "Precondition failed",
                             "The integration is not as If-Match demands; the change was not sent."},
    [REFUSE_PRE_IMAGE] =
        {502, "portcullis-pre-image-unavailable", "Pre-image unavailable",
         "What the change is about could not be read from the API, so the change was not sent."},
    [REFUSE_NO_OPERATION] = {404, "portcullis-no-such-operation", "No such operation",
                             "The contract has no such operation; the request was not sent on."},
    [REFUSE_METHOD] = {405, "portcullis-method-not-allowed", "Method not allowed",
                       "The contract has no such method for this path; the request was not sent on."},
    [REFUSE_UNAUTHENTICATED] =
        {401, "portcullis-unauthenticated", "Not authenticated",
         "Send the header field \"Authorization: Token\" with a token that the policy knows."},
    [REFUSE_IDENTITY_CONFLICT] = {403, "portcullis-identity-conflict", "Identities in conflict",
                                  "What was shown names more than one principal of the policy."},
    [REFUSE_NO_CREDENTIAL] = {403, "portcullis-no-credential", "No credential to present",
                              "Neither the request nor the gate has a token to show to the API."},
    [REFUSE_VERSION] = {400, "portcullis-version", "API version not allowed",
                        "The policy does not allow this API version."},
    [REFUSE_PARAMETER] = {400, "portcullis-parameter", "Invalid parameter",
                          "A parameter is not as the contract demands."},
    [REFUSE_FORBIDDEN] = {403, "portcullis-forbidden", "Not permitted",
                          "The policy does not permit this operation."},
    [REFUSE_DENIED] = {403, "portcullis-denied", "Denied by a rule",
                       "A rule of the policy denies this request."},
    [REFUSE_FROZEN] = {403, "portcullis-frozen", "Frozen by a rule",
                       "A rule of the policy lets nothing through now but break-glass."},
    [REFUSE_REASON] = {403, "portcullis-reason-required", "Reason required",
                       "A rule of the policy demands a reason: send it as Portcullis-Reason."},
    [REFUSE_APPROVAL] = {403, "portcullis-approval-required", "Approval required",
                         "A rule of the policy demands that others approve this request first."},
    [REFUSE_APPROVAL_LIMIT] = {429, "portcullis-approval-limit", "Too many requests wait for approval",
                               "As many requests of this principal as may be wait for approval."},
    [REFUSE_NO_APPROVAL] = {404, "portcullis-no-such-approval", "No such approval",
                            "No request with this id waits for approval, or it is not yours to see."},
    [REFUSE_MAY_NOT_APPROVE] = {403, "portcullis-may-not-approve", "May not approve",
                                "Others must approve this request."},
    [REFUSE_APPROVED_BEFORE] = {409, "portcullis-approved-before", "Approved before",
                                "The same person has approved this request before."},
    [REFUSE_BUDGET] =
        {429, "portcullis-budget-spent", "Budget spent",
         "A rule of the policy allows no more such changes for now; the request was not sent on."},
    [REFUSE_KEY_REUSED] = {422, "portcullis-key-reused", "Idempotency key reused",
                           "This Idempotency-Key was used for another request."},
    [REFUSE_KEY_IN_FLIGHT] = {409, "portcullis-key-in-flight", "First request in flight",
                              "The first request with this Idempotency-Key has no answer yet."},
    [REFUSE_KEY_UNKNOWN] = {409, "portcullis-key-unknown", "Outcome of the first request unknown",
                            "What became of the first request with this Idempotency-Key is not known."},
    [REFUSE_KEY_DONE] = {409, "portcullis-key-done", "Answer not kept",
                         "The first request with this Idempotency-Key was carried out; its answer is gone."},
    [REFUSE_TWIN] = {409, "portcullis-twin-in-flight", "The same request is in flight",
                     "The same request of the same principal is under way."},
    [REFUSE_NO_BREAKER] = {404, "portcullis-no-such-breaker", "No such breaker",
                           "There is no such budget that stays shut, or it is not for you to open."},
    [REFUSE_BREAK_GLASS] = {403, "portcullis-no-break-glass", "No break-glass",
                            "The policy gives this principal no break-glass."},
    [REFUSE_MEDIA_TYPE] = {415, "portcullis-media-type", "Media type not supported",
                           "Send the content as application/vnd.api+json or application/json."},
    [REFUSE_MALFORMED_BODY] = {400, "portcullis-malformed-body", "Malformed body",
                               "The body is not strict JSON."},
    [REFUSE_INVALID_BODY] = {400, "portcullis-invalid-body", "Invalid body",
                             "The body is not as the contract demands."},
    [REFUSE_BODY_TOO_LARGE] = {413, "portcullis-body-too-large", "Body too large",
                               "The body is larger than the gate takes."},
    [REFUSE_TARGET_TOO_LONG] = {414, "portcullis-target-too-long", "Request target too long",
                                "The request target is longer than the gate takes."},
    [REFUSE_EXPECTATION] = {417, "portcullis-expectation", "Expectation failed",
                            "The only expectation that the gate can meet is 100-continue."},
    [REFUSE_CROWD] = {429, "portcullis-too-many-connections", "Too many connections",
                      "There are too many connections from this client's address."},
    [REFUSE_HEADER_TOO_LARGE] = {431, "portcullis-header-too-large", "Header too large",
                                 "The header is larger, or has more fields, than the gate takes."},
    [REFUSE_WIRE] = {400, "portcullis-malformed-request", "Malformed request",
                     "The bytes received are not a well-formed HTTP/1.1 request."},
    [REFUSE_TIMEOUT] = {408, "portcullis-request-timeout", "Request timeout",
                        "The request did not arrive in time."},
    [REFUSE_METHOD_UNKNOWN] = {501, "portcullis-method-unknown", "Method unknown",
                               "The gate does not know this method."},
    [REFUSE_CODING_UNKNOWN] = {501, "portcullis-transfer-coding-unknown", "Transfer coding unknown",
                               "The gate knows no transfer coding but chunked."},
    [REFUSE_HTTP_VERSION] = {505, "portcullis-http-version", "HTTP version not supported",
                             "The gate speaks HTTP/1.1 and HTTP/1.0."},
    [REFUSE_RATE_LIMITED] = {429, "portcullis-rate-limited", "Too many requests",
                             "The policy allows no more requests for now; the request was not sent on."},
    [REFUSE_SHIELDED] =
        {429, "portcullis-upstream-rate-limited", "Too many requests to the API",
         "The API has asked this credential to wait; the request was not sent on, because the API punishes "
         "those who do not."},
    [REFUSE_JOURNAL] =
        {503, "portcullis-journal-unavailable", "Audit journal unavailable",
         "The change cannot be recorded now, so it was not made. Reads go on. Try again later."},
    [REFUSE_CREDENTIAL] =
        {503, "portcullis-credential-unavailable", "Credential unavailable",
         "The credential that the gate holds for this request cannot be read; its operator has to "
         "act."},
    [REFUSE_OVERLOADED] = {503, "portcullis-overloaded", "Overloaded",
                           "The gate has no room for the request now; it was not sent on. Try again later."},
    [REFUSE_CLIENT_GONE] = {503, "portcullis-client-gone", "Client gone",
                            "The client left before its change was sent, so it was not sent."},
    [REFUSE_INTERNAL] = {503, "portcullis-internal", "Internal failure",
                         "The gate is out of memory; the request was not sent on. Try again later."},
    [REFUSE_UPSTREAM_CONNECT] = {502, "portcullis-upstream-unreachable", "Upstream unreachable",
                                 "The API could not be reached; the request was not sent on."},
    [REFUSE_UPSTREAM_TLS] = {502, "portcullis-upstream-untrusted", "Upstream not trusted",
                             "The API's certificate was not accepted; the request was not sent on."},
    [REFUSE_UPSTREAM_ANSWER] = {502, "portcullis-upstream-answer", "Bad upstream answer",
                                "The API's answer is not well-formed and was not passed on."},
    [REFUSE_UPSTREAM_CLOSED] =
        {502, "portcullis-upstream-closed", "Upstream closed the connection",
         "The API closed the connection before its answer was whole; whether the request had an "
         "effect is not known."},
    [REFUSE_UPSTREAM_TOO_LARGE] = {502, "portcullis-upstream-too-large", "Upstream answer too large",
                                   "The API's answer is larger than the gate takes."},
    [REFUSE_UPSTREAM_TIMEOUT] =
        {504, "portcullis-upstream-timeout", "Upstream timeout",
         "The API did not answer in time; whether the request had an effect is not known."},
};

/* Is the policy alone against it, so that it can be observed rather than enforced? */
static bool is_observable(enum refusal_kind kind)
{
    switch (kind) {
    case REFUSE_FORBIDDEN:
    case REFUSE_DENIED:
    case REFUSE_FROZEN:
    case REFUSE_REASON:
    case REFUSE_APPROVAL:
    case REFUSE_BUDGET:
    case REFUSE_BREAK_GLASS:
        return true;
    default:
        return false;
    }
}

void refusal_begin(struct refusal *refusal, enum refusal_kind kind)
{
    *refusal = (struct refusal){.status = kinds[kind].status,
                                .code = kinds[kind].code,
                                .title = kinds[kind].title,
                                .observable = is_observable(kind)};
}

void refusal_add(struct refusal *refusal, struct arena *arena, const char *detail, const char *pointer,
                 const char *parameter)
{
    struct refusal_error *error = arena_take(arena, sizeof *error);
    struct refusal_error **last = &refusal->errors;

    if (error == NULL)
        return; /* the kind's own detail stands in for it */
    *error = (struct refusal_error){.detail = detail, .pointer = pointer, .parameter = parameter};
    while (*last != NULL)
        last = &(*last)->next;
    *last = error;
}

static void member_add(struct refusal_member **last, struct arena *arena, const char *name, const char *value)
{
    struct refusal_member *member = arena_take(arena, sizeof *member);

    if (member == NULL)
        return;
    *member = (struct refusal_member){.name = name, .value = value};
    while (*last != NULL)
        last = &(*last)->next;
    *last = member;
}

void refusal_meta(struct refusal *refusal, struct arena *arena, const char *name, const char *value)
{
    member_add(&refusal->meta, arena, name, value);
}

void refusal_field(struct refusal *refusal, struct arena *arena, const char *name, const char *value)
{
    member_add(&refusal->fields, arena, name, value);
}

/* Appends a member of an object, `open` ("{" or ",") before it; nothing for a missing value. The separator of
 * the next one. */
static const char *add_member(struct text *out, const char *open, const char *name, const char *value)
{
    if (value == NULL)
        return open;
    text_add_string(out, open);
    text_add_json(out, span_of(name));
    text_add_string(out, ":");
    text_add_json(out, span_of(value));
    return ",";
}

static const char *kind_detail(const struct refusal *refusal)
{
    for (size_t i = 0; i < REFUSE_KINDS; i++)
        if (strcmp(kinds[i].code, refusal->code) == 0)
            return kinds[i].detail;
    return refusal->title;
}

static void write_source(const struct refusal_error *error, struct text *out)
{
    const char *open = "{";

    if (error->pointer == NULL && error->parameter == NULL)
        return;
    text_add_string(out, ",\"source\":");
    open = add_member(out, open, "pointer", error->pointer);
    add_member(out, open, "parameter", error->parameter);
    text_add_string(out, "}");
}

static void write_error(const struct refusal *refusal, const struct refusal_error *error, const char *id,
                        const char *request_id, struct text *out)
{
    const char *open = add_member(out, "{", "id", id);

    text_add_format(out, "%s\"status\":\"%d\"", open, refusal->status);
    add_member(out, ",", "code", refusal->code);
    add_member(out, ",", "title", refusal->title);
    add_member(out, ",", "detail", error->detail ? error->detail : kind_detail(refusal));
    write_source(error, out);
    text_add_string(out, ",\"meta\":");
    add_member(out, "{", "request_id", request_id);
    for (const struct refusal_member *member = refusal->meta; member != NULL; member = member->next)
        add_member(out, ",", member->name, member->value);
    text_add_string(out, "}}");
}

void refusal_write(const struct refusal *refusal, const char *request_id, struct text *out)
{
    static const struct refusal_error nothing_more = {0};
    const struct refusal_error *error = refusal->errors ? refusal->errors : &nothing_more;

    text_add_string(out, "{\"jsonapi\":{\"version\":\"1.0\"},\"errors\":[");
    write_error(refusal, error, request_id, request_id, out);
    for (error = error->next; error != NULL; error = error->next) {
        text_add_string(out, ",");
        write_error(refusal, error, NULL, request_id, out);
    }
    text_add_string(out, "]}");
}
