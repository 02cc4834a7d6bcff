#include "proxy/audit/record.h"

#include "proxy/clock.h"

#include <stdio.h>

enum kind { KIND_STRING, KIND_JSON, KIND_NUMBER, KIND_FLAG, KIND_STAGE, KIND_TIME, KIND_SEQ };

struct member {
    const char *name;
    enum kind kind;
    size_t offset; /* of the value in struct record_fields */
};

#define AT(field) offsetof(struct record_fields, field)

/* In the byte order of the names: this table is what makes a record canonical. `seq` is the writer's, and the
 * record is cut there. */
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
    {"effect", KIND_STRING, AT(effect)},
    {"first_seq", KIND_NUMBER, AT(first_seq)},
    {"format", KIND_NUMBER, AT(format)},
    {"gate", KIND_STRING, AT(gate)},
    {"key", KIND_STRING, AT(key)},
    {"key_before", KIND_STRING, AT(key_before)},
    {"level", KIND_STRING, AT(level)},
    {"method", KIND_STRING, AT(method)},
    {"operation", KIND_STRING, AT(operation)},
    {"organization", KIND_STRING, AT(organization)},
    {"policy", KIND_STRING, AT(policy)},
    {"principal", KIND_STRING, AT(principal)},
    {"principals", KIND_NUMBER, AT(principals)},
    {"request_id", KIND_STRING, AT(request_id)},
    {"resource", KIND_STRING, AT(resource)},
    {"result", KIND_STRING, AT(result)},
    {"rule", KIND_STRING, AT(rule)},
    {"run", KIND_NUMBER, AT(run)},
    {"segment", KIND_STRING, AT(segment)},
    {"sent", KIND_FLAG, AT(sent)},
    {"seq", KIND_SEQ, 0},
    {"stage", KIND_STAGE, AT(stage)},
    {"status", KIND_NUMBER, AT(status)},
    {"target", KIND_STRING, AT(target)},
    {"time", KIND_TIME, AT(time_us)},
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
    [STAGE_MISSED] = "missed",
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
    case KIND_SEQ:
        break;
    }
}

bool record_build(const struct record_fields *fields, struct record *record)
{
    struct text *text = &record->head;

    text_add(text, "{", 1);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const struct member *member = &members[i];
        const void *value = (const char *)fields + member->offset;

        if (member->kind == KIND_SEQ) {
            text = &record->tail;
            continue;
        }
        if (!given(member->kind, value))
            continue;
        if (text == &record->tail)
            text_add(text, ",", 1);
        text_add_json(text, span_of(member->name));
        text_add(text, ":", 1);
        add_value(text, member->kind, value);
        if (text == &record->head)
            text_add(text, ",", 1);
    }
    text_add(text, "}", 1);

    if (record->head.failed || record->tail.failed) {
        record_free(record);
        return false;
    }
    return true;
}

void record_free(struct record *record)
{
    text_free(&record->head);
    text_free(&record->tail);
}

size_t record_splice(const struct record *record, uint64_t seq, char scratch[static RECORD_SCRATCH],
                     struct iovec parts[static RECORD_PARTS])
{
    static char newline[] = "\n";
    int length = snprintf(scratch, RECORD_SCRATCH, "\"seq\":%llu", (unsigned long long)seq);

    parts[0] = (struct iovec){record->head.data, record->head.length};
    parts[1] = (struct iovec){scratch, (size_t)length};
    parts[2] = (struct iovec){record->tail.data, record->tail.length};
    parts[3] = (struct iovec){newline, 1};
    return parts[0].iov_len + parts[1].iov_len + parts[2].iov_len + parts[3].iov_len;
}
