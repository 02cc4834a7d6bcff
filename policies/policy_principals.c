/* The members principals and roles of a policy file. */
#include "policies/ascii.h"
#include "policies/policy_compiler.h"

/* Names stand in answers, logs and records: short, and no control characters. */
#define NAME_LENGTH 128

static bool name_is_fit(struct span name)
{
    for (size_t i = 0; i < name.length; i++)
        if (ascii_is_control(name.data[i]))
            return false;
    return name.length > 0 && name.length <= NAME_LENGTH;
}

static void principal_compile(struct compiler *compiler, const struct place *place, struct span name,
                              json_t *value)
{
    static const char *const known[] = {
        "tokens",      "certificates", "identity", "upstream_token", "rate_limit",
        "break_glass", "owners",       "subjects", "description",    NULL};
    struct policy *policy = compiler->policy;
    struct principal *principal = &policy->principals[policy->principal_count];

    if (!name_is_fit(name))
        note_error(compiler, place, "a principal's name has 1 to %d bytes and no control characters",
                   NAME_LENGTH);
    principal->name = policy_copy(compiler, name);
    principal->index = policy->principal_count++;
    principal->credential = CREDENTIAL_OWN;
    principal->rate_limit = policy->rate_limit;
    principal->people = &principal->index;
    principal->people_count = 1;
    if (principal->name == NULL)
        return;
    table_add(&policy->by_name, hash_bytes(name), principal->index);

    if (!value_is(compiler, place, value, JSON_OBJECT))
        return;
    members_check(compiler, place, value, known);
    identity_compile(compiler, place, value, principal->index);
    principal->credential = credential_compile(compiler, place, value);
    principal->own_rate_limit = rate_limit_compile(compiler, place, value, &principal->rate_limit);
    principal->break_glass = break_glass_compile(compiler, place, value);
    policy->limits_rates = policy->limits_rates || principal->rate_limit.requests > 0;
}

void principals_compile(struct compiler *compiler, const struct place *root, json_t *value)
{
    const struct place place = {.above = root, .member = "principals"};
    const char *name;
    json_t *member;

    if (!value_is(compiler, &place, value, JSON_OBJECT))
        return;
    json_object_foreach (value, name, member) {
        const struct place here = {.above = &place, .member = name};
        principal_compile(compiler, &here, span_of(name), member);
    }
}

static void role_compile(struct compiler *compiler, const struct place *place, struct role *role,
                         json_t *value)
{
    char room[96];

    if (!name_is_fit(role->name))
        note_error(compiler, place, "a role's name has 1 to %d bytes and no control characters", NAME_LENGTH);
    if (!value_is(compiler, place, value, JSON_ARRAY))
        return;
    if (json_array_size(value) == 0)
        note_warning(compiler, place, "gives no permission");
    for (size_t i = 0; i < json_array_size(value); i++) {
        const struct place here = {.above = place, .element = i};
        json_t *name = json_array_get(value, i);

        if (!value_is(compiler, &here, name, JSON_STRING))
            continue;
        permission_set set = permission_named(string_span(name));
        if (set == 0)
            note_error(compiler, &here, "unknown permission \"%s\"%s", json_string_value(name),
                       suggestion(json_string_value(name), permission_names(), room, sizeof room));
        role->permissions |= set;
    }
}

void roles_compile(struct compiler *compiler, const struct place *root, json_t *value)
{
    const struct place place = {.above = root, .member = "roles"};
    const char *name;
    json_t *member;

    if (!value_is(compiler, &place, value, JSON_OBJECT))
        return;
    json_object_foreach (value, name, member) {
        const struct place here = {.above = &place, .member = name};
        struct role *role = &compiler->roles[compiler->role_count];

        role->name = span_of(name);
        table_add(&compiler->roles_by_name, hash_bytes(role->name), compiler->role_count++);
        role_compile(compiler, &here, role, member);
    }
}
