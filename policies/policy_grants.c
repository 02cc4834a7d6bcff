/* The member organizations of a policy file: who may do what where. */
#include "policies/policy_compiler.h"
#include "policies/uuid.h"

static bool role_matches(const void *items, uint32_t item, const void *key)
{
    return span_equal(((const struct role *)items)[item].name, *(const struct span *)key);
}

static struct role *role_named(struct compiler *compiler, struct span name)
{
    uint32_t role =
        table_find(&compiler->roles_by_name, hash_bytes(name), role_matches, compiler->roles, &name);

    return role == TABLE_NONE ? NULL : &compiler->roles[role];
}

/* The permissions of a list of roles. */
static permission_set roles_read(struct compiler *compiler, const struct place *above, json_t *list)
{
    const struct place place = {.above = above, .member = "roles"};
    permission_set set = 0;

    if (!value_is(compiler, &place, list, JSON_ARRAY))
        return 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const struct place here = {.above = &place, .element = i};
        json_t *name = json_array_get(list, i);

        if (!value_is(compiler, &here, name, JSON_STRING))
            continue;
        struct role *role = role_named(compiler, string_span(name));
        if (role == NULL) {
            note_unknown(compiler, &here, "role", "roles", json_string_value(name));
            continue;
        }
        role->used = true;
        set |= role->permissions;
    }
    return set;
}

/* The permissions of a list of their names. */
static permission_set permissions_read(struct compiler *compiler, const struct place *above, json_t *grant,
                                       const char *member)
{
    const struct place place = {.above = above, .member = member};
    json_t *list = json_object_get(grant, member);
    permission_set all = 0;
    char room[96];

    if (!value_is(compiler, &place, list, JSON_ARRAY))
        return 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const struct place here = {.above = &place, .element = i};
        json_t *name = json_array_get(list, i);

        if (!value_is(compiler, &here, name, JSON_STRING))
            continue;
        permission_set set = permission_named(string_span(name));
        if (set == 0)
            note_error(compiler, &here, "unknown permission \"%s\"%s", json_string_value(name),
                       suggestion(json_string_value(name), permission_names(), room, sizeof room));
        all |= set;
    }
    return all;
}

static uint32_t grantee_read(struct compiler *compiler, const struct place *above, json_t *grant)
{
    const struct place place = {.above = above, .member = "principal"};
    json_t *name = json_object_get(grant, "principal");

    if (name == NULL)
        note_error(compiler, above, "names no principal");
    if (!value_is(compiler, &place, name, JSON_STRING))
        return TABLE_NONE;

    uint32_t principal = find_principal(compiler->policy, string_span(name));
    if (principal == TABLE_NONE)
        note_unknown(compiler, &place, "principal", "principals", json_string_value(name));
    return principal;
}

/* Whatever is wrong with it, a grant takes its place in the array, so that places can be counted from the
 * first. */
static void grant_compile(struct compiler *compiler, const struct place *place, json_t *value,
                          uint32_t organization)
{
    static const char *const known[] = {"principal",  "roles",     "permissions", "deny",
                                        "not_before", "not_after", "description", NULL};
    struct policy *policy = compiler->policy;
    struct grant *grant = &policy->grants[policy->grant_count++];

    *grant = (struct grant){.organization = organization, .principal = TABLE_NONE, .next = TABLE_NONE};
    if (!value_is(compiler, place, value, JSON_OBJECT))
        return;
    members_check(compiler, place, value, known);
    if (json_array_size(json_object_get(value, "roles")) +
            json_array_size(json_object_get(value, "permissions")) +
            json_array_size(json_object_get(value, "deny")) ==
        0)
        note_error(compiler, place, "has nothing in it: name roles, permissions or what to deny");
    grant->principal = grantee_read(compiler, place, value);
    grant->allowed = roles_read(compiler, place, json_object_get(value, "roles")) |
                     permissions_read(compiler, place, value, "permissions");
    grant->denied = permissions_read(compiler, place, value, "deny");
    grant->term = term_compile(compiler, place, value);
    if (grant->principal == TABLE_NONE)
        return;
    if (grant->allowed != 0)
        compiler->granted[grant->principal] = true;

    permission_set edits = grant->allowed & permission_named(span_of("org.integration.edit"));
    if (organization == EVERYWHERE && edits != 0)
        note_kind(compiler, place, "edit-everywhere",
                  "lets \"%s\" change integrations (%s) in every organization",
                  policy->principals[grant->principal].name, permission_name(edits));
}

/* The index for the organisation of that key; TABLE_NONE where it cannot be one. */
static uint32_t organization_index(struct compiler *compiler, const struct place *place, struct span key)
{
    struct policy *policy = compiler->policy;
    struct organization organization = {.credential = CREDENTIAL_OWN};
    char lower[UUID_TEXT_SIZE];

    if (span_is(key, "*"))
        return EVERYWHERE;
    if (!uuid_parse(key, organization.id)) {
        note_error(compiler, place, "\"%s\" is neither a UUID nor \"*\"", key.data);
        return TABLE_NONE;
    }
    uuid_spell(organization.id, lower);
    if (find_organization(policy, organization.id) != TABLE_NONE) {
        note_error(compiler, place, "the organization %s is here already, in another spelling", lower);
        return TABLE_NONE;
    }
    if (!span_is(key, lower))
        note_warning(compiler, place, "UUIDs are spelled in lower case: %s", lower);
    table_add(&policy->by_id, hash_id(organization.id), policy->organization_count);
    policy->organizations[policy->organization_count] = organization;
    return policy->organization_count++;
}

static void organization_compile(struct compiler *compiler, const struct place *place, uint32_t index,
                                 json_t *value)
{
    static const char *const known[] = {"name",        "upstream_token", "grants",
                                        "enforcement", "description",    NULL};
    const struct place name = {.above = place, .member = "name"};
    const struct place grants = {.above = place, .member = "grants"};
    struct organization *organization = &compiler->policy->organizations[index];

    organization->first_grant = compiler->policy->grant_count;
    if (!value_is(compiler, place, value, JSON_OBJECT))
        return;
    members_check(compiler, place, value, known);
    (void)value_is(compiler, &name, json_object_get(value, "name"), JSON_STRING);
    organization->credential = credential_compile(compiler, place, value);
    if (index != EVERYWHERE)
        organization->enforcement = (uint8_t)enforcement_compile(compiler, place, value);
    else if (json_object_get(value, "enforcement") != NULL)
        note_error(compiler, place,
                   "\"enforcement\" for every organization is a member of the policy itself");

    json_t *list = json_object_get(value, "grants");
    if (!value_is(compiler, &grants, list, JSON_ARRAY))
        return;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const struct place here = {.above = &grants, .element = i};
        grant_compile(compiler, &here, json_array_get(list, i), index);
    }
}

void organizations_compile(struct compiler *compiler, const struct place *root, json_t *value)
{
    const struct place place = {.above = root, .member = "organizations"};
    const char *key;
    json_t *member;

    if (!value_is(compiler, &place, value, JSON_OBJECT))
        return;
    json_object_foreach (value, key, member) {
        const struct place here = {.above = &place, .member = key};
        uint32_t index = organization_index(compiler, &here, span_of(key));
        if (index != TABLE_NONE)
            organization_compile(compiler, &here, index, member);
    }
}

/* From the last to the first, so that a chain has the order of the file. */
void grants_index(struct policy *policy)
{
    for (uint32_t i = policy->grant_count; i-- > 0;) {
        struct grant *grant = &policy->grants[i];
        struct grant_pair pair = {grant->organization, grant->principal};

        grant->next = find_grant(policy, pair);
        if (grant->next == TABLE_NONE)
            table_add(&policy->by_pair, hash_pair(pair), i);
        else
            table_replace(&policy->by_pair, hash_pair(pair), grant->next, i);
    }
    for (uint32_t i = 0; i < policy->principal_count; i++)
        policy->principals[i].everywhere = find_grant(policy, (struct grant_pair){EVERYWHERE, i});
}

void unused_check(struct compiler *compiler, const struct place *root)
{
    const struct place principals = {.above = root, .member = "principals"};
    const struct place roles = {.above = root, .member = "roles"};

    for (uint32_t i = 0; i < compiler->policy->principal_count; i++) {
        const struct place here = {.above = &principals, .member = compiler->policy->principals[i].name};
        if (!compiler->granted[i])
            note_kind(compiler, &here, "unused-principal", "has no grant: all that it asks will be refused");
    }
    for (uint32_t i = 0; i < compiler->role_count; i++) {
        const struct place here = {.above = &roles, .member = compiler->roles[i].name.data};
        if (!compiler->roles[i].used)
            note_kind(compiler, &here, "unused-role", "no grant gives this role");
    }
}
