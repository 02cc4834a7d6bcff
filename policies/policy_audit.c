/* The member audit of a policy file: how much the journal is told, by operation. Whether the contract has
 * these operations, and whether their effects allow the level, is checked where both are known
 * (audit_level.h). */
#include "policies/policy_compiler.h"

#include <stdio.h>

static void row_compile(struct compiler *compiler, const struct place *levels, const char *operation,
                        const json_t *value)
{
    const struct place place = {.above = levels, .member = operation};
    struct policy *policy = compiler->policy;
    enum audit_level level;
    char room[64];

    if (!value_is(compiler, &place, value, JSON_STRING))
        return;
    if (!audit_level_named(string_span(value), &level)) {
        const char *const known[] = {audit_level_name(AUDIT_NONE), audit_level_name(AUDIT_METADATA),
                                     audit_level_name(AUDIT_REQUEST), audit_level_name(AUDIT_ANSWER), NULL};
        note_error(compiler, &place, "must be \"%s\", \"%s\", \"%s\" or \"%s\"%s", known[0], known[1],
                   known[2], known[3], suggestion(json_string_value(value), known, room, sizeof room));
        return;
    }
    policy->audit_rows[policy->audit_row_count++] =
        (struct audit_row){policy_copy(compiler, span_of(operation)), level};
}

static void pre_image_compile(struct compiler *compiler, const struct place *audit, const json_t *value)
{
    const struct place place = {.above = audit, .member = "pre_image"};

    if (value != NULL && !json_is_boolean(value))
        note_error(compiler, &place, "must be true or false");
    compiler->policy->pre_image = json_is_true(value);
}

void audit_compile(struct compiler *compiler, const struct place *root, json_t *value)
{
    static const char *const known[] = {"levels", "pre_image", "description", NULL};
    const struct place place = {.above = root, .member = "audit"};
    const struct place levels_place = {.above = &place, .member = "levels"};
    const char *operation;
    json_t *level;

    if (!value_is(compiler, &place, value, JSON_OBJECT))
        return;
    members_check(compiler, &place, value, known);
    pre_image_compile(compiler, &place, json_object_get(value, "pre_image"));
    json_t *levels = json_object_get(value, "levels");
    if (!value_is(compiler, &levels_place, levels, JSON_OBJECT))
        return;
    compiler->policy->audit_rows =
        arena_take(&compiler->policy->texts, (json_object_size(levels) + 1) * sizeof(struct audit_row));
    if (compiler->policy->audit_rows == NULL) {
        note_memory(compiler);
        return;
    }
    json_object_foreach (levels, operation, level) {
        row_compile(compiler, &levels_place, operation, level);
    }
}

bool policy_pre_image(const struct policy *policy)
{
    return policy->pre_image;
}

const struct audit_row *policy_audit_rows(const struct policy *policy, size_t *count)
{
    *count = policy->audit_row_count;
    return policy->audit_rows;
}

bool policy_audit_level(const struct policy *policy, const char *operation, enum audit_level *level)
{
    for (uint32_t i = 0; i < policy->audit_row_count; i++) {
        if (strcmp(policy->audit_rows[i].operation, operation) == 0) {
            *level = policy->audit_rows[i].level;
            return true;
        }
    }
    return false;
}
