/* Claims as they stand in records. */
#include "proxy/audit/claims.h"

#include "policies/utf8.h"
#include "proxy/audit/claims_internal.h"

static const char *const kind_names[CLAIM_KINDS] = {
    [CLAIM_KEY] = "key",     [CLAIM_TWIN] = "twin", [CLAIM_APPROVAL] = "approval", [CLAIM_BUDGET] = "budget",
    [CLAIM_ASK] = "ask",     [CLAIM_GIVE] = "give", [CLAIM_WITHDRAW] = "withdraw", [CLAIM_VOID] = "void",
    [CLAIM_RESET] = "reset", [CLAIM_TRIP] = "trip",
};

static const char *const result_names[CLAIM_RESULTS] = {
    [CLAIMS_TAKEN] = "taken",
    [CLAIM_KEY_OTHER] = "key-other",
    [CLAIM_KEY_IN_FLIGHT] = "key-in-flight",
    [CLAIM_KEY_UNKNOWN] = "key-unknown",
    [CLAIM_KEY_DONE] = "key-done",
    [CLAIM_TWIN_IN_FLIGHT] = "twin-in-flight",
    [CLAIM_NOT_APPROVED] = "not-approved",
    [CLAIM_APPROVAL_STALE] = "approval-stale",
    [CLAIM_BUDGET_SPENT] = "budget-spent",
    [CLAIM_BREAKER_OPEN] = "breaker-open",
    [CLAIM_PENDING_ALREADY] = "pending-already",
    [CLAIM_TOO_MANY] = "too-many",
    [CLAIM_NOT_FOUND] = "not-found",
    [CLAIM_GIVEN_BEFORE] = "given-before",
    [CLAIMS_FULL] = "full",
    [CLAIMS_INVALID] = "invalid",
    [CLAIMS_LOST] = "lost",
};

const char *claim_result_name(enum claim_result result)
{
    return result_names[result];
}

enum field_kind { FIELD_TEXT, FIELD_NUMBER, FIELD_RADIUS, FIELD_FLAG };

#define OF(kind)   (1u << (kind))
#define AT(member) offsetof(struct claim, member)

/* In the byte order of the names, behind "claim". */
static const struct field {
    const char *name;
    enum field_kind kind;
    unsigned of;       /* the kinds of claim that have it */
    unsigned optional; /* those of them that may lack it */
    size_t offset;
} fields[] = {
    {"facts", FIELD_TEXT, OF(CLAIM_APPROVAL) | OF(CLAIM_ASK), 0, AT(facts)},
    {"id", FIELD_TEXT,
     OF(CLAIM_APPROVAL) | OF(CLAIM_ASK) | OF(CLAIM_GIVE) | OF(CLAIM_WITHDRAW) | OF(CLAIM_VOID),
     OF(CLAIM_APPROVAL), AT(id)},
    {"people", FIELD_NUMBER, OF(CLAIM_APPROVAL) | OF(CLAIM_ASK), 0, AT(people)},
    {"person", FIELD_TEXT, OF(CLAIM_GIVE), 0, AT(person)},
    {"principal", FIELD_TEXT, OF(CLAIM_KEY) | OF(CLAIM_ASK) | OF(CLAIM_GIVE) | OF(CLAIM_WITHDRAW),
     OF(CLAIM_KEY), AT(principal)},
    {"projects", FIELD_RADIUS, OF(CLAIM_APPROVAL) | OF(CLAIM_ASK), OF(CLAIM_APPROVAL) | OF(CLAIM_ASK),
     AT(projects)},
    {"request", FIELD_TEXT, OF(CLAIM_KEY) | OF(CLAIM_APPROVAL) | OF(CLAIM_ASK), 0, AT(request)},
    {"requests", FIELD_NUMBER, OF(CLAIM_BUDGET), 0, AT(requests)},
    {"rule", FIELD_TEXT, OF(CLAIM_ASK), 0, AT(rule)},
    {"scope", FIELD_TEXT,
     OF(CLAIM_KEY) | OF(CLAIM_TWIN) | OF(CLAIM_BUDGET) | OF(CLAIM_RESET) | OF(CLAIM_TRIP), 0, AT(scope)},
    {"seconds", FIELD_NUMBER, OF(CLAIM_BUDGET) | OF(CLAIM_ASK) | OF(CLAIM_TRIP), 0, AT(seconds)},
    {"targets", FIELD_RADIUS, OF(CLAIM_APPROVAL) | OF(CLAIM_ASK), OF(CLAIM_APPROVAL) | OF(CLAIM_ASK),
     AT(targets)},
    {"until_reset", FIELD_FLAG, OF(CLAIM_BUDGET), OF(CLAIM_BUDGET), AT(until_reset)},
};
#define FIELDS (sizeof fields / sizeof *fields)

/* ---- what is valid ---- */

static unsigned most_of(const struct field *field)
{
    if (field->offset == AT(people))
        return CLAIM_PEOPLE;
    return field->offset == AT(seconds) ? CLAIM_SECONDS : CLAIM_SPENT;
}

/* A text that is the same when it was written into a record and read again, here as a C string. */
static bool is_plain(struct span text)
{
    return memchr(text.data, '\0', text.length) == NULL && utf8_is_valid(text);
}

static bool field_valid(const struct field *field, const struct claim *claim)
{
    const void *value = (const char *)claim + field->offset;
    const struct span *text = value;
    uint64_t radius;

    switch (field->kind) {
    case FIELD_TEXT:
        if (text->data == NULL)
            return (field->optional & OF(claim->kind)) != 0;
        return text->length > 0 && text->length <= CLAIM_TEXT && is_plain(*text);
    case FIELD_NUMBER:
        return *(const unsigned *)value >= 1 && *(const unsigned *)value <= most_of(field);
    case FIELD_RADIUS:
        radius = *(const uint64_t *)value;
        return radius < CLAIM_NUMBERS || radius == CLAIM_NO_RADIUS;
    case FIELD_FLAG:
        return true;
    }
    return false;
}

static bool claim_valid(const struct claim *claim)
{
    if ((unsigned)claim->kind >= CLAIM_KINDS)
        return false;
    for (size_t i = 0; i < FIELDS; i++)
        if ((fields[i].of & OF(claim->kind)) != 0 && !field_valid(&fields[i], claim))
            return false;
    return true;
}

/* Which claims each stage may have, and whether several. */
static bool stage_has(struct span stage, enum claim_kind kind, size_t count)
{
    static const struct {
        const char *stage;
        enum claim_kind first, last;
        size_t most;
    } rows[] = {
        {"intent", CLAIM_KEY, CLAIM_BUDGET, CLAIMS_MOST},
        {"approval", CLAIM_ASK, CLAIM_VOID, 1},
        {"breaker", CLAIM_RESET, CLAIM_TRIP, 1},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (span_is(stage, rows[i].stage))
            return kind >= rows[i].first && kind <= rows[i].last && count <= rows[i].most;
    return false;
}

/* Two that are the same claim, or of a kind that there may be one of. */
static bool clash(const struct claim *one, const struct claim *other)
{
    return one->kind == other->kind && (one->kind != CLAIM_BUDGET || span_equal(one->scope, other->scope));
}

bool claims_valid(const struct claim *claims, size_t count, struct span stage)
{
    if (count == 0 || count > CLAIMS_MOST)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!claim_valid(&claims[i]) || !stage_has(stage, claims[i].kind, count))
            return false;
        for (size_t j = 0; j < i; j++)
            if (clash(&claims[i], &claims[j]))
                return false;
    }
    return true;
}

/* ---- writing ---- */

static void write_field(const struct field *field, const struct claim *claim, struct text *text)
{
    const void *value = (const char *)claim + field->offset;

    if ((field->kind == FIELD_TEXT && ((const struct span *)value)->data == NULL) ||
        (field->kind == FIELD_RADIUS && *(const uint64_t *)value == CLAIM_NO_RADIUS) ||
        (field->kind == FIELD_FLAG && !*(const bool *)value))
        return;
    text_add_string(text, ",\"");
    text_add_string(text, field->name);
    text_add_string(text, "\":");
    switch (field->kind) {
    case FIELD_TEXT:
        text_add_json(text, *(const struct span *)value);
        break;
    case FIELD_NUMBER:
        text_add_number(text, *(const unsigned *)value);
        break;
    case FIELD_RADIUS:
        text_add_number(text, *(const uint64_t *)value);
        break;
    case FIELD_FLAG:
        text_add_string(text, "true");
        break;
    }
}

void claims_write(const struct claim *claims, size_t count, struct text *text)
{
    text_add_string(text, "[");
    for (size_t i = 0; i < count; i++) {
        if (!claim_valid(&claims[i])) {
            text->failed = true;
            return;
        }
        text_add_string(text, i > 0 ? ",{\"claim\":\"" : "{\"claim\":\"");
        text_add_string(text, kind_names[claims[i].kind]);
        text_add(text, "\"", 1);
        for (size_t j = 0; j < FIELDS; j++)
            if ((fields[j].of & OF(claims[i].kind)) != 0)
                write_field(&fields[j], &claims[i], text);
        text_add_string(text, "}");
    }
    text_add_string(text, "]");
}

/* ---- reading ---- */

static bool read_number(const json_t *json, uint64_t most, uint64_t *number)
{
    if (!json_is_integer(json) || json_integer_value(json) < 0 || (uint64_t)json_integer_value(json) > most)
        return false;
    *number = (uint64_t)json_integer_value(json);
    return true;
}

static bool read_field(const struct field *field, const json_t *object, struct claim *claim)
{
    const json_t *json = json_object_get(object, field->name);
    void *value = (char *)claim + field->offset;
    uint64_t number = CLAIM_NO_RADIUS;

    switch (field->kind) {
    case FIELD_TEXT:
        *(struct span *)value = (struct span){json_string_value(json), json_string_length(json)};
        return json == NULL || json_is_string(json);
    case FIELD_NUMBER:
        if (!read_number(json, UINT32_MAX, &number))
            return false;
        *(unsigned *)value = (unsigned)number;
        return true;
    case FIELD_RADIUS:
        if (json != NULL && !read_number(json, CLAIM_NUMBERS - 1, &number))
            return false;
        *(uint64_t *)value = number;
        return true;
    case FIELD_FLAG:
        *(bool *)value = json_is_true(json);
        return json == NULL || json_is_boolean(json);
    }
    return false;
}

static bool read_claim(const json_t *object, struct claim *claim)
{
    const char *name = json_string_value(json_object_get(object, "claim"));

    *claim = (struct claim){.kind = CLAIM_KINDS};
    for (enum claim_kind kind = 0; name != NULL && kind < CLAIM_KINDS; kind++)
        if (strcmp(name, kind_names[kind]) == 0)
            claim->kind = kind;
    if (claim->kind == CLAIM_KINDS)
        return false;
    for (size_t i = 0; i < FIELDS; i++)
        if ((fields[i].of & OF(claim->kind)) != 0 && !read_field(&fields[i], object, claim))
            return false;
    return claim_valid(claim);
}

bool claims_read(const json_t *array, struct claim claims[static CLAIMS_MOST], size_t *count)
{
    *count = json_array_size(array);
    if (*count == 0 || *count > CLAIMS_MOST)
        return false;
    for (size_t i = 0; i < *count; i++)
        if (!read_claim(json_array_get(array, i), &claims[i]))
            return false;
    return true;
}
