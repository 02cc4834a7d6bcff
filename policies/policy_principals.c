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

static void token_compile(struct compiler *compiler, const struct place *place, json_t *value,
                          uint32_t principal)
{
    struct policy *policy = compiler->policy;
    struct token token = {.principal = principal};

    if (!value_is(compiler, place, value, JSON_STRING))
        return;
    if (!digest_read(string_span(value), token.digest)) { /* not quoted: it may be the secret itself */
        note_error(compiler, place,
                   "is not \"sha256:\" and 64 hex digits; `portcullis token` prints the digest of a secret");
        return;
    }
    uint32_t known = find_token(policy, token.digest);
    if (known == TABLE_NONE) {
        table_add(&policy->by_digest, hash_digest(token.digest), policy->token_count);
        policy->tokens[policy->token_count++] = token;
        return;
    }
    const char *digest = json_string_value(value);
    uint32_t owner = policy->tokens[known].principal;
    if (owner == principal)
        note_warning(compiler, place, "the digest %.15s… stands here twice", digest);
    else
        note_error(compiler, place, "the digest %.15s… names the principal \"%s\" already", digest,
                   policy->principals[owner].name);
}

static void tokens_compile(struct compiler *compiler, const struct place *above, json_t *value,
                           uint32_t principal)
{
    const struct place place = {.above = above, .member = "tokens"};

    if (value != NULL && !value_is(compiler, &place, value, JSON_ARRAY))
        return;
    if (json_array_size(value) == 0)
        note_warning(compiler, value ? &place : above, "has no tokens: this principal can never come in");
    for (size_t i = 0; i < json_array_size(value); i++) {
        const struct place here = {.above = &place, .element = i};
        token_compile(compiler, &here, json_array_get(value, i), principal);
    }
}

static void principal_compile(struct compiler *compiler, const struct place *place, struct span name,
                              json_t *value)
{
    static const char *const known[] = {"tokens", "upstream_token", "rate_limit", "description", NULL};
    struct policy *policy = compiler->policy;
    struct principal *principal = &policy->principals[policy->principal_count];

    if (!name_is_fit(name))
        note_error(compiler, place, "a principal's name has 1 to %d bytes and no control characters",
                   NAME_LENGTH);
    principal->name = policy_copy(compiler, name);
    principal->index = policy->principal_count++;
    principal->credential = CREDENTIAL_OWN;
    principal->rate_limit = policy->rate_limit;
    if (principal->name == NULL)
        return;
    table_add(&policy->by_name, hash_bytes(name), principal->index);

    if (!value_is(compiler, place, value, JSON_OBJECT))
        return;
    members_check(compiler, place, value, known);
    tokens_compile(compiler, place, json_object_get(value, "tokens"), principal->index);
    principal->credential = credential_compile(compiler, place, value);
    principal->own_rate_limit = rate_limit_compile(compiler, place, value, &principal->rate_limit);
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
