#include "proxy/audit/record.h"

#include "proxy/clock.h"

#include <stdio.h>

enum kind { KIND_STRING, KIND_JSON, KIND_NUMBER, KIND_FLAG, KIND_STAGE, KIND_TIME, KIND_PREV, KIND_SEQ };

struct member {
    const char *name;
    enum kind kind;
    size_t offset; /* of the value in struct record_fields */
};

#define AT(field) offsetof(struct record_fields, field)

/* In the byte order of the names: this table is what makes a record canonical. `prev` and `seq` are the
 * writer's, and the record is cut there. */
static const struct member members[] = {
    {"answer", KIND_JSON, AT(answer)},
    {"answer_bytes", KIND_NUMBER, AT(answer_bytes)},
    {"answer_digest", KIND_STRING, AT(answer_digest)},
    {"body", KIND_JSON, AT(body)},
    {"bytes", KIND_NUMBER, AT(bytes)},
    {"cause", KIND_STRING, AT(cause)},
    {"changes", KIND_JSON, AT(changes)},
    {"client", KIND_STRING, AT(client)},
    {"count", KIND_NUMBER, AT(count)},
    {"credential", KIND_STRING, AT(credential)},
    {"detail", KIND_STRING, AT(detail)},
    {"duration_us", KIND_NUMBER, AT(duration_us)},
    {"edge", KIND_JSON, AT(edge)},
    {"effect", KIND_STRING, AT(effect)},
    {"first_seq", KIND_NUMBER, AT(first_seq)},
    {"format", KIND_NUMBER, AT(format)},
    {"gate", KIND_STRING, AT(gate)},
    {"key", KIND_STRING, AT(key)},
    {"key_before", KIND_STRING, AT(key_before)},
    {"last_seq", KIND_NUMBER, AT(last_seq)},
    {"level", KIND_STRING, AT(level)},
    {"method", KIND_STRING, AT(method)},
    {"open_from", KIND_NUMBER, AT(open_from)},
    {"operation", KIND_STRING, AT(operation)},
    {"organization", KIND_STRING, AT(organization)},
    {"origin", KIND_STRING, AT(origin)},
    {"policy", KIND_STRING, AT(policy)},
    {"prev", KIND_PREV, 0},
    {"principal", KIND_STRING, AT(principal)},
    {"principals", KIND_NUMBER, AT(principals)},
    {"request_id", KIND_STRING, AT(request_id)},
    {"resource", KIND_STRING, AT(resource)},
    {"result", KIND_STRING, AT(result)},
    {"root", KIND_STRING, AT(root)},
    {"rule", KIND_STRING, AT(rule)},
    {"run", KIND_NUMBER, AT(run)},
    {"segment", KIND_STRING, AT(segment)},
    {"sent", KIND_FLAG, AT(sent)},
    {"seq", KIND_SEQ, 0},
    {"stage", KIND_STAGE, AT(stage)},
    {"status", KIND_NUMBER, AT(status)},
    {"target", KIND_STRING, AT(target)},
    {"time", KIND_TIME, AT(time_us)},
    {"trace_id", KIND_STRING, AT(trace_id)},
    {"tree_size", KIND_NUMBER, AT(tree_size)},
    {"uid", KIND_NUMBER, AT(uid)},
    {"upstream_request_id", KIND_STRING, AT(upstream_request_id)},
    {"upstream_status", KIND_NUMBER, AT(upstream_status)},
    {"version", KIND_STRING, AT(version)},
};

static const char *const stage_names[] = {
    [STAGE_INTENT] = "intent",       [STAGE_OUTCOME] = "outcome",
    [STAGE_REFUSED] = "refused",     [STAGE_UNAUTHENTICATED] = "unauthenticated",
    [STAGE_READ] = "read",           [STAGE_KEY] = "key",
    [STAGE_POLICY] = "policy",       [STAGE_SEGMENT] = "segment",
    [STAGE_START] = "start",         [STAGE_STOP] = "stop",
    [STAGE_RECOVERED] = "recovered", [STAGE_RECONCILED] = "reconciled",
    [STAGE_MISSED] = "missed",       [STAGE_REMOVED] = "removed",
};

/* Is the value at hand? */
static bool given(enum kind kind, const void *value)
{
    switch (kind) {
    case KIND_STRING:
    case KIND_JSON:
        return ((const struct span *)value)->data != NULL;
    case KIND_NUMBER:
        return ((const struct record_number *)value)->given;
    case KIND_FLAG:
        return *(const enum record_flag *)value != RECORD_UNSAID;
    case KIND_STAGE:
    case KIND_TIME:
    case KIND_PREV:
    case KIND_SEQ:
        return true;
    }
    return false;
}

static void add_value(struct text *text, enum kind kind, const void *value)
{
    const struct span *span = value;
    char time[CLOCK_TEXT];

    switch (kind) {
    case KIND_STRING:
        text_add_json(text, *span);
        break;
    case KIND_JSON:
        text_add(text, span->data, span->length);
        break;
    case KIND_NUMBER:
        text_add_number(text, ((const struct record_number *)value)->value);
        break;
    case KIND_FLAG:
        text_add_string(text, *(const enum record_flag *)value == RECORD_TRUE ? "true" : "false");
        break;
    case KIND_STAGE:
        text_add_json(text, span_of(stage_names[*(const enum record_stage *)value]));
        break;
    case KIND_TIME:
        clock_format(*(const int64_t *)value, time);
        text_add_json(text, span_of(time));
        break;
    case KIND_PREV:
    case KIND_SEQ:
        break;
    }
}

/* FNV-1a. */
uint64_t record_mutation(struct span request_id)
{
    uint64_t hash = 0xcbf29ce484222325;

    for (size_t i = 0; i < request_id.length; i++)
        hash = (hash ^ (unsigned char)request_id.data[i]) * 0x100000001b3;
    return hash;
}

/* An outcome that is not known ends nothing: only when somebody has looked is the mutation settled. */
static enum record_role role_of(const struct record_fields *fields)
{
    switch (fields->stage) {
    case STAGE_INTENT:
        return RECORD_BEGINS;
    case STAGE_OUTCOME:
        return span_is(fields->result, "unknown") ? RECORD_PLAIN : RECORD_ENDS;
    case STAGE_RECONCILED:
        return RECORD_ENDS;
    default:
        return RECORD_PLAIN;
    }
}

bool record_build(const struct record_fields *fields, struct record *record)
{
    struct text *text = &record->text;

    record->role = role_of(fields);
    record->mutation = record_mutation(fields->request_id);
    text_add(text, "{", 1);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const struct member *member = &members[i];
        const void *value = (const char *)fields + member->offset;

        if (member->kind == KIND_PREV || member->kind == KIND_SEQ) {
            record->cuts[member->kind == KIND_PREV ? RECORD_PREV : RECORD_SEQ] = text->length;
            continue;
        }
        if (!given(member->kind, value))
            continue;
        text_add_json(text, span_of(member->name));
        text_add(text, ":", 1);
        add_value(text, member->kind, value);
        text_add(text, ",", 1);
    }
    text_add(text, "\n", 1);

    if (text->failed) {
        record_free(record);
        return false;
    }
    text->data[text->length - 2] = '}'; /* stage and time are always given: a comma stands there */
    return true;
}

void record_free(struct record *record)
{
    text_free(&record->text);
    *record = (struct record){0};
}

size_t record_splice(const struct record *record, uint64_t seq, const struct tree_hash *prev,
                     char scratch[static RECORD_SCRATCH], struct iovec parts[static RECORD_PARTS])
{
    char hash[TREE_HEX];
    int lengths[RECORD_CUTS];
    size_t from = 0, total = record->text.length;

    tree_hash_write(prev, hash);
    lengths[RECORD_PREV] = snprintf(scratch, RECORD_SCRATCH, "\"prev\":\"%s\",", hash);
    lengths[RECORD_SEQ] =
        snprintf(scratch + lengths[RECORD_PREV], RECORD_SCRATCH - (size_t)lengths[RECORD_PREV],
                 "\"seq\":%llu,", (unsigned long long)seq);
    for (size_t i = 0; i < RECORD_CUTS; i++) {
        parts[2 * i] = (struct iovec){record->text.data + from, record->cuts[i] - from};
        parts[2 * i + 1] = (struct iovec){scratch, (size_t)lengths[i]};
        scratch += lengths[i];
        total += (size_t)lengths[i];
        from = record->cuts[i];
    }
    parts[2 * RECORD_CUTS] = (struct iovec){record->text.data + from, record->text.length - from};
    return total;
}
