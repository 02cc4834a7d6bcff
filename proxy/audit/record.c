#include "proxy/audit/record.h"

#include "proxy/base/clock.h"

#define USUAL_BYTES 1000 /* of a record */

enum kind { KIND_STRING, KIND_JSON, KIND_NUMBER, KIND_FLAG, KIND_STAGE, KIND_TIME, KIND_PREV, KIND_SEQ };

struct member {
    struct span name; /* as the record has it, colon included */
    size_t offset;    /* of the value in struct record_fields */
    enum kind kind;
    enum record_kept kept; /* its place is kept as that; RECORD_KEPT: it is not */
};

#define AT(field) offsetof(struct record_fields, field)
#define KEPT_MEMBER(name, kind, offset, kept)                                                                \
    {                                                                                                        \
        SPAN_INIT("\"" name "\":"), offset, kind, kept                                                       \
    }
#define MEMBER(name, kind, offset) KEPT_MEMBER(name, kind, offset, RECORD_KEPT)

/* In the byte order of the names: this table is what makes a record canonical. `prev` and `seq` are the
 * writer's, and the record is cut there. */
static const struct member members[] = {
    MEMBER("after", KIND_JSON, AT(after)),
    MEMBER("answer", KIND_JSON, AT(answer)),
    MEMBER("answer_bytes", KIND_NUMBER, AT(answer_bytes)),
    MEMBER("answer_digest", KIND_STRING, AT(answer_digest)),
    MEMBER("approval", KIND_STRING, AT(approval)),
    MEMBER("before", KIND_JSON, AT(before)),
    MEMBER("body", KIND_JSON, AT(body)),
    MEMBER("bytes", KIND_NUMBER, AT(bytes)),
    MEMBER("cause", KIND_STRING, AT(cause)),
    MEMBER("certificate", KIND_STRING, AT(certificate)),
    MEMBER("changed", KIND_JSON, AT(changed)),
    MEMBER("changes", KIND_JSON, AT(changes)),
    KEPT_MEMBER("claims", KIND_JSON, AT(claims), RECORD_CLAIMS),
    MEMBER("client", KIND_STRING, AT(client)),
    MEMBER("contract", KIND_STRING, AT(contract)),
    MEMBER("count", KIND_NUMBER, AT(count)),
    MEMBER("credential", KIND_STRING, AT(credential)),
    MEMBER("detail", KIND_STRING, AT(detail)),
    MEMBER("duration_us", KIND_NUMBER, AT(duration_us)),
    MEMBER("edge", KIND_JSON, AT(edge)),
    MEMBER("effect", KIND_STRING, AT(effect)),
    MEMBER("first_seq", KIND_NUMBER, AT(first_seq)),
    MEMBER("format", KIND_NUMBER, AT(format)),
    MEMBER("gate", KIND_STRING, AT(gate)),
    MEMBER("identity", KIND_STRING, AT(identity)),
    MEMBER("key", KIND_STRING, AT(key)),
    MEMBER("key_before", KIND_STRING, AT(key_before)),
    MEMBER("last_seq", KIND_NUMBER, AT(last_seq)),
    MEMBER("level", KIND_STRING, AT(level)),
    MEMBER("method", KIND_STRING, AT(method)),
    MEMBER("oauth_keys", KIND_STRING, AT(oauth_keys)),
    MEMBER("open_from", KIND_NUMBER, AT(open_from)),
    MEMBER("operation", KIND_STRING, AT(operation)),
    MEMBER("organization", KIND_STRING, AT(organization)),
    MEMBER("origin", KIND_STRING, AT(origin)),
    MEMBER("part", KIND_NUMBER, AT(part)),
    MEMBER("policy", KIND_STRING, AT(policy)),
    MEMBER("prev", KIND_PREV, 0),
    MEMBER("principal", KIND_STRING, AT(principal)),
    MEMBER("principals", KIND_NUMBER, AT(principals)),
    MEMBER("radius", KIND_JSON, AT(radius)),
    MEMBER("reason", KIND_STRING, AT(reason)),
    KEPT_MEMBER("replay", KIND_JSON, AT(replay), RECORD_REPLAY),
    MEMBER("replay_of", KIND_STRING, AT(replay_of)),
    KEPT_MEMBER("request_id", KIND_STRING, AT(request_id), RECORD_REQUEST_ID),
    MEMBER("resource", KIND_STRING, AT(resource)),
    KEPT_MEMBER("result", KIND_STRING, AT(result), RECORD_RESULT),
    MEMBER("root", KIND_STRING, AT(root)),
    MEMBER("rule", KIND_STRING, AT(rule)),
    MEMBER("run", KIND_NUMBER, AT(run)),
    MEMBER("segment", KIND_STRING, AT(segment)),
    MEMBER("sent", KIND_FLAG, AT(sent)),
    MEMBER("seq", KIND_SEQ, 0),
    MEMBER("serial", KIND_NUMBER, AT(serial)),
    MEMBER("severity", KIND_STRING, AT(severity)),
    MEMBER("stage", KIND_STAGE, AT(stage)),
    MEMBER("state", KIND_JSON, AT(state)),
    MEMBER("status", KIND_NUMBER, AT(status)),
    MEMBER("target", KIND_STRING, AT(target)),
    MEMBER("time", KIND_TIME, AT(time_us)),
    MEMBER("trace_id", KIND_STRING, AT(trace_id)),
    MEMBER("tree_size", KIND_NUMBER, AT(tree_size)),
    MEMBER("uid", KIND_NUMBER, AT(uid)),
    MEMBER("upstream_request_id", KIND_STRING, AT(upstream_request_id)),
    MEMBER("upstream_status", KIND_NUMBER, AT(upstream_status)),
    MEMBER("version", KIND_STRING, AT(version)),
    MEMBER("would_refuse", KIND_STRING, AT(would_refuse)),
    MEMBER("would_rule", KIND_STRING, AT(would_rule)),
};

static const char *const stage_names[] = {
    [STAGE_INTENT] = "intent",       [STAGE_OUTCOME] = "outcome",
    [STAGE_REFUSED] = "refused",     [STAGE_UNAUTHENTICATED] = "unauthenticated",
    [STAGE_READ] = "read",           [STAGE_KEY] = "key",
    [STAGE_POLICY] = "policy",       [STAGE_SEGMENT] = "segment",
    [STAGE_START] = "start",         [STAGE_STOP] = "stop",
    [STAGE_RECOVERED] = "recovered", [STAGE_RECONCILED] = "reconciled",
    [STAGE_MISSED] = "missed",       [STAGE_REMOVED] = "removed",
    [STAGE_APPROVAL] = "approval",   [STAGE_DRY_RUN] = "dry-run",
    [STAGE_BREAKER] = "breaker",     [STAGE_STATE] = "state",
    [STAGE_REPLAYED] = "replayed",
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
        return span_is(fields->result, "unknown") ? RECORD_ENDS_UNKNOWN : RECORD_ENDS;
    case STAGE_RECONCILED:
        return RECORD_ENDS;
    default:
        return RECORD_PLAIN;
    }
}

/* A status, or 0 for none: no number that large is one. */
static unsigned short_number(struct record_number number)
{
    return number.given && number.value <= UINT32_MAX ? (unsigned)number.value : 0;
}

bool record_build(const struct record_fields *fields, struct record *record)
{
    struct text *text = &record->text;

    record->role = role_of(fields);
    record->mutation = record_mutation(fields->request_id);
    record->time_us = fields->time_us;
    record->stage = fields->stage;
    record->status = short_number(fields->status);
    record->upstream_status = short_number(fields->upstream_status);
    record->sent = fields->sent != RECORD_FALSE;
    (void)text_reserve(text, USUAL_BYTES);
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
        text_add(text, member->name.data, member->name.length);
        size_t at = text->length;
        add_value(text, member->kind, value);
        if (member->kept != RECORD_KEPT) {
            record->kept[member->kept].at = at;
            record->kept[member->kept].length = text->length - at;
        }
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

struct span record_kept(const struct record *record, enum record_kept member)
{
    if (record->kept[member].length == 0)
        return (struct span){NULL, 0};
    return (struct span){record->text.data + record->kept[member].at, record->kept[member].length};
}

const char *record_stage_name(enum record_stage stage)
{
    return stage_names[stage];
}

void record_free(struct record *record)
{
    text_free(&record->text);
    *record = (struct record){0};
}

#define PREV_BYTES (sizeof "\"prev\":\"\"," - 1 + TREE_HEX - 1)

/* Each returns the end of what it wrote. */
static char *write_prev(char *to, const struct tree_hash *prev)
{
    to = stpcpy(to, "\"prev\":\"");
    tree_hash_write(prev, to);
    return stpcpy(to + TREE_HEX - 1, "\",");
}

static char *write_seq(char *to, uint64_t seq)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + seq % 10);
        seq /= 10;
    } while (seq > 0);
    to = mempcpy(stpcpy(to, "\"seq\":"), digits + at, sizeof digits - at);
    *to = ',';
    return to + 1;
}

size_t record_splice(const struct record *record, uint64_t seq, const struct tree_hash *prev,
                     char scratch[static RECORD_SCRATCH], struct iovec parts[static RECORD_PARTS])
{
    char *const ends[RECORD_CUTS] = {
        [RECORD_PREV] = write_prev(scratch, prev), [RECORD_SEQ] = write_seq(scratch + PREV_BYTES, seq)};
    size_t from = 0, total = record->text.length;

    for (size_t i = 0; i < RECORD_CUTS; i++) {
        parts[2 * i] = (struct iovec){record->text.data + from, record->cuts[i] - from};
        parts[2 * i + 1] = (struct iovec){scratch, (size_t)(ends[i] - scratch)};
        scratch = ends[i];
        total += parts[2 * i + 1].iov_len;
        from = record->cuts[i];
    }
    parts[2 * RECORD_CUTS] = (struct iovec){record->text.data + from, record->text.length - from};
    return total;
}
