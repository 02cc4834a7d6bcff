/* The member rules of a policy file. Whether the contract has what they speak of is checked where both are
 * known (rules_link.c). */
#include "policies/ascii.h"
#include "policies/rules_compiler.h"
#include "policies/utf8.h"
#include "policies/uuid.h"

#include <stdlib.h>

#define RULES_MOST     10000
#define ID_LONGEST     64
#define REASON_LONGEST 500 /* characters */
#define SCOPE_MOST     100000

void *policy_take(struct compiler *compiler, size_t count, size_t size)
{
    void *items = arena_take(&compiler->policy->texts, count * size);

    if (items == NULL)
        note_memory(compiler);
    else
        memset(items, 0, count * size);
    return items;
}

bool list_is(struct compiler *compiler, const struct place *place, const json_t *value, size_t most)
{
    size_t count = json_array_size(value);

    if (!value_is(compiler, place, value, JSON_ARRAY))
        return false;
    if (count > 0 && count <= most)
        return true;
    if (count == 0)
        note_error(compiler, place, "is empty: leave it out, or put something in");
    else
        note_error(compiler, place, "has %zu elements; %zu is the most", count, most);
    return false;
}

/* ---- id and reason ---- */

static bool id_is_right(struct span id)
{
    for (size_t i = 0; i < id.length; i++) {
        char c = id.data[i];
        bool letter = (c >= 'a' && c <= 'z') || ascii_is_digit(c);
        if (!letter && (c != '-' || i == 0))
            return false;
    }
    return id.length > 0 && id.length <= ID_LONGEST;
}

static bool id_matches(const void *items, uint32_t item, const void *key)
{
    const char *id = ((const struct rule *)items)[item].id;

    return id != NULL && span_is(*(const struct span *)key, id);
}

static void id_compile(struct compiler *compiler, const struct place *above, json_t *object,
                       struct rule *rule)
{
    const struct place place = {.above = above, .member = "id"};
    json_t *value = json_object_get(object, "id");
    struct table *by_id = &compiler->rules_by_id;

    if (value == NULL)
        note_error(compiler, above, "lacks \"id\": a name that clients and the logs are told");
    if (!value_is(compiler, &place, value, JSON_STRING))
        return;
    struct span id = string_span(value);
    if (!id_is_right(id)) {
        note_error(compiler, &place,
                   "must be of lower-case letters, digits and hyphens, not begin with a hyphen, and be %d "
                   "long at most",
                   ID_LONGEST);
        return;
    }
    if (span_is(id, "break-glass")) {
        note_error(compiler, &place, "\"break-glass\" is what the journal calls the principals' own budgets");
        return;
    }
    uint32_t twin = table_find(by_id, hash_bytes(id), id_matches, compiler->policy->rules, &id);
    if (twin != TABLE_NONE) {
        note_error(compiler, &place, "is the id of /rules/%u already", twin);
        return;
    }
    rule->id = policy_copy(compiler, id);
    if (rule->id != NULL)
        table_add(by_id, hash_bytes(id), rule->index);
}

static void reason_compile(struct compiler *compiler, const struct place *above, json_t *object,
                           struct rule *rule)
{
    const struct place place = {.above = above, .member = "reason"};
    json_t *value = json_object_get(object, "reason");

    if (value == NULL)
        note_error(compiler, above, "lacks \"reason\": what a client that meets the rule is told");
    if (!value_is(compiler, &place, value, JSON_STRING))
        return;
    size_t count = text_characters(string_span(value));
    if (count < 1 || count > REASON_LONGEST)
        note_error(compiler, &place, "must be 1 to %d characters, with no control character among them",
                   REASON_LONGEST);
    rule->reason = policy_copy(compiler, string_span(value));
}

/* ---- scope ---- */

static void operations_compile(struct compiler *compiler, const struct place *above, json_t *object,
                               struct rule *rule)
{
    const struct place place = {.above = above, .member = "operations"};
    json_t *list = json_object_get(object, "operations");
    size_t count = json_array_size(list);
    const char **names;

    if (!list_is(compiler, &place, list, SCOPE_MOST) ||
        (names = policy_take(compiler, count, sizeof *names)) == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        const struct place here = {.above = &place, .element = i};
        json_t *name = json_array_get(list, i);
        names[i] =
            value_is(compiler, &here, name, JSON_STRING) ? policy_copy(compiler, string_span(name)) : "";
    }
    rule->operations = names;
    rule->operation_count = (uint32_t)count;
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, UUID_BYTES);
}

static void organization_read(struct compiler *compiler, const struct place *place, const json_t *value,
                              unsigned char id[UUID_BYTES])
{
    char lower[UUID_TEXT_SIZE];

    if (!value_is(compiler, place, value, JSON_STRING))
        return;
    if (!uuid_parse(string_span(value), id)) {
        note_error(compiler, place, "is not a UUID%s",
                   span_is(string_span(value), "*") ? ": for every organization leave \"organizations\" out"
                                                    : "");
        return;
    }
    uuid_spell(id, lower);
    if (!span_is(string_span(value), lower))
        note_warning(compiler, place, "UUIDs are spelled in lower case: %s", lower);
}

static void rule_organizations_compile(struct compiler *compiler, const struct place *above, json_t *object,
                                       struct rule *rule)
{
    const struct place place = {.above = above, .member = "organizations"};
    json_t *list = json_object_get(object, "organizations");
    size_t count = json_array_size(list);
    unsigned char(*ids)[UUID_BYTES];

    if (!list_is(compiler, &place, list, SCOPE_MOST) ||
        (ids = policy_take(compiler, count, sizeof *ids)) == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        const struct place here = {.above = &place, .element = i};
        organization_read(compiler, &here, json_array_get(list, i), ids[i]);
    }
    qsort(ids, count, sizeof *ids, compare_ids);
    rule->organizations = (const unsigned char(*)[UUID_BYTES])ids;
    rule->organization_count = (uint32_t)count;
}

static int compare_indexes(const void *a, const void *b)
{
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;

    return (one > other) - (one < other);
}

static void rule_principals_compile(struct compiler *compiler, const struct place *above, json_t *object,
                                    struct rule *rule)
{
    const struct place place = {.above = above, .member = "principals"};
    json_t *list = json_object_get(object, "principals");
    size_t count = json_array_size(list);
    uint32_t *indexes;

    if (!list_is(compiler, &place, list, SCOPE_MOST) ||
        (indexes = policy_take(compiler, count, sizeof *indexes)) == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        const struct place here = {.above = &place, .element = i};
        json_t *name = json_array_get(list, i);
        if (!value_is(compiler, &here, name, JSON_STRING))
            continue;
        indexes[i] = find_principal(compiler->policy, string_span(name));
        if (indexes[i] == TABLE_NONE)
            note_unknown(compiler, &here, "principal", "principals", json_string_value(name));
    }
    qsort(indexes, count, sizeof *indexes, compare_indexes);
    rule->principals = indexes;
    rule->principal_count = (uint32_t)count;
}

/* ---- rules ---- */

/* By which it is known whether another policy's rule says the same. */
static void digest_compile(struct compiler *compiler, const json_t *value, struct rule *rule)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);

    if (text == NULL)
        note_memory(compiler);
    else
        digest_of(span_of(text), rule->digest);
    free(text);
}

static void rule_compile(struct compiler *compiler, const struct place *place, json_t *value,
                         struct rule *rule)
{
    static const char *const known[] = {"id",         "reason", "description", "operations", "organizations",
                                        "principals", "when",   "unless",      "deny",       "require",
                                        "budget",     NULL};

    rule->pointer = arena_format(&compiler->policy->texts, "/rules/%u", rule->index);
    if (rule->pointer == NULL)
        note_memory(compiler);
    if (!value_is(compiler, place, value, JSON_OBJECT))
        return;
    members_check(compiler, place, value, known);
    digest_compile(compiler, value, rule);
    id_compile(compiler, place, value, rule);
    reason_compile(compiler, place, value, rule);
    operations_compile(compiler, place, value, rule);
    rule_organizations_compile(compiler, place, value, rule);
    rule_principals_compile(compiler, place, value, rule);
    rule->when = conditions_compile(compiler, place, value, "when");
    rule->unless = conditions_compile(compiler, place, value, "unless");
    effect_compile(compiler, place, value, rule);
}

void rules_compile(struct compiler *compiler, const struct place *root, json_t *value)
{
    const struct place place = {.above = root, .member = "rules"};
    struct policy *policy = compiler->policy;
    size_t count = json_array_size(value);

    if (!value_is(compiler, &place, value, JSON_ARRAY) || count == 0)
        return;
    if (count > RULES_MOST) {
        note_error(compiler, &place, "has %zu rules; %d is the most", count, RULES_MOST);
        return;
    }
    policy->rules = calloc(count, sizeof *policy->rules);
    if (policy->rules == NULL || !table_make(&compiler->rules_by_id, count)) {
        note_memory(compiler);
        return;
    }
    for (; policy->rule_count < count; policy->rule_count++) {
        const struct place here = {.above = &place, .element = policy->rule_count};
        struct rule *rule = &policy->rules[policy->rule_count];
        rule->index = policy->rule_count;
        rule_compile(compiler, &here, json_array_get(value, rule->index), rule);
    }
}

static void conditions_free(const struct conditions *conditions)
{
    for (uint32_t i = 0; i < conditions->count; i++)
        if (conditions->items[i].test == TEST_MATCHES)
            pattern_free(conditions->items[i].pattern);
}

void rules_free(struct policy *policy)
{
    for (uint32_t i = 0; i < policy->rule_count; i++) {
        pattern_free(policy->rules[i].form);
        conditions_free(&policy->rules[i].when);
        conditions_free(&policy->rules[i].unless);
    }
    free(policy->rules);
}
