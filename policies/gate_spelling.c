/* Is the request spelled in the one way that leaves no doubt about what it means? */
#include "policies/fields.h"
#include "policies/gate.h"
#include "policies/utf8.h"

#define ORDER_LONGEST 500 /* characters of what a client tells in one */
#define KEY_LONGEST   255 /* bytes of an Idempotency-Key */

/* Refuses with a detail made of the field's name in quotes and what stands before and behind it. */
static enum verdict refuse_field(struct decision *out, enum refusal_kind kind, const char *rule,
                                 const char *before, struct span name, const char *after)
{
    const char *text = gate_string(out, name);
    const char *detail = text ? arena_format(out->arena, "%s\"%s\"%s", before, text, after) : NULL;

    return gate_refuse(out, kind, rule, detail, NULL, NULL);
}

static enum verdict check_target(const struct request *request, struct decision *out)
{
    const struct field *host = target_is_path(request->target) ? NULL : field_find(request, "Host");
    struct target_fault fault = {0};

    out->target_ok =
        target_parse(request->target, host ? host->value : span_of(NULL), out->arena, &out->target, &fault);
    if (out->target_ok)
        return VERDICT_PASS;
    if (fault.code == NULL || strcmp(fault.code, "out-of-memory") == 0)
        return gate_refuse_memory(out);
    return gate_refuse(out, REFUSE_MALFORMED_TARGET, fault.code, fault.detail, NULL,
                       fault.parameter.length > 0 ? gate_string(out, fault.parameter) : NULL);
}

static enum verdict check_repeated(const struct decide_input *input, const struct request *request,
                                   struct decision *out)
{
    for (size_t i = 1; i < request->field_count; i++) {
        struct span name = request->fields[i].name;
        bool single = (field_row_at(request, i)->rules & FIELD_SINGLE) != 0;
        if (!single && !gate_is_version_field(input->policy, name))
            continue;
        for (size_t j = 0; j < i; j++)
            if (field_name_equal(name, request->fields[j].name))
                return refuse_field(out, REFUSE_REPEATED_FIELD, "repeated-field", "The header field ", name,
                                    " may stand once only.");
    }
    return VERDICT_PASS;
}

/* The name of a field that Connection takes away though the gate decides by it; the empty span without one.
 */
static struct span connection_fault(const struct decide_input *input, const struct request *request)
{
    if (field_find(request, "Connection") == NULL)
        return (struct span){NULL, 0};

    struct span fault = field_connection_fault(request);
    for (const struct span *at = policy_version_rules(input->policy)->headers;
         fault.length == 0 && at->data != NULL; at++)
        if (field_named_by_connection(request, *at))
            fault = *at;
    return fault;
}

static bool is_told(struct span value)
{
    return text_characters(value) - 1 < ORDER_LONGEST; /* 1 at least */
}

static bool is_true(struct span value)
{
    return span_is(value, "?1");
}

/* As a structured string or without its quotes: which is for the client to choose, and to repeat. */
static bool is_key(struct span value)
{
    for (size_t i = 0; i < value.length; i++)
        if (value.data[i] < ' ' || value.data[i] > '~')
            return false;
    return value.length - 1 < KEY_LONGEST; /* 1 at least */
}

/* The orders that a client can give to the gate. */
static const struct {
    const char *name;
    bool (*is_right)(struct span value);
    size_t offset; /* in struct orders: a span, or a boolean */
    bool flag;
    const char *form;
} known_orders[] = {
    {"Portcullis-Reason", is_told, offsetof(struct orders, reason), false,
     " must be 1 to 500 characters of UTF-8, with no control character among them."},
    {"Portcullis-Break-Glass", is_told, offsetof(struct orders, break_glass), false,
     " must be 1 to 500 characters of UTF-8, with no control character among them: why the glass is broken."},
    {"Idempotency-Key", is_key, offsetof(struct orders, key), false,
     " must be 1 to 255 characters of printable ASCII."},
    {"Portcullis-Dry-Run", is_true, offsetof(struct orders, dry_run), true, " must be ?1 (RFC 8941)."},
};

/* Takes an order down. One that stands in no row is read elsewhere. */
static enum verdict take_order(const struct field *field, struct decision *out)
{
    for (size_t i = 0; i < sizeof known_orders / sizeof *known_orders; i++) {
        void *member = (char *)&out->orders + known_orders[i].offset;
        if (!field_name_equal(field->name, span_of(known_orders[i].name)))
            continue;
        if (!known_orders[i].is_right(field->value))
            return refuse_field(out, REFUSE_MALFORMED_FIELD, "malformed-order", "The header field ",
                                field->name, known_orders[i].form);
        if (known_orders[i].flag)
            *(bool *)member = true;
        else
            *(struct span *)member = field->value;
        break;
    }
    return VERDICT_PASS;
}

static enum verdict check_orders(const struct decide_input *input, const struct request *request,
                                 struct decision *out)
{
    struct span fault = connection_fault(input, request);

    if (fault.length > 0)
        return refuse_field(out, REFUSE_MALFORMED_FIELD, "connection", "Connection must not name ", fault,
                            ": the gate decides by that field.");
    for (size_t i = 0; i < request->field_count; i++) {
        enum field_use use = field_row_at(request, i)->use;
        if (use == FIELD_CONTROL)
            return refuse_field(
                out, REFUSE_MALFORMED_FIELD, "unknown-order", "The header field ", request->fields[i].name,
                " is an order that the gate does not know. Nothing was done; leave the field out.");
        if (use == FIELD_ORDER && take_order(&request->fields[i], out) != VERDICT_PASS)
            return VERDICT_REFUSE;
    }
    return VERDICT_PASS;
}

enum verdict gate_spelling(const struct decide_input *input, const struct request *request,
                           struct decision *out)
{
    enum verdict verdict = check_target(request, out);

    if (verdict == VERDICT_PASS)
        verdict = check_repeated(input, request, out);
    if (verdict == VERDICT_PASS)
        verdict = check_orders(input, request, out);
    return verdict;
}

const char *describe_spelling(const struct decide_input *input, const struct decision *decision)
{
    struct target path = decision->target;

    (void)input;
    path.parameter_count = 0;
    struct span text = target_write(&path, decision->arena);
    if (text.data == NULL)
        return NULL;
    return arena_format(decision->arena, "path %.*s; query parameters: %zu", (int)text.length, text.data,
                        decision->target.parameter_count);
}
