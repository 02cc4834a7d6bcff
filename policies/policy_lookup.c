/* Questions to a compiled policy. Nothing here allocates but policy_grant_pointer, and no answer's cost
 * depends on the policy's size. */
#include "policies/ascii.h"
#include "policies/document_internal.h"
#include "policies/policy_internal.h"
#include "policies/uuid.h"

uint64_t hash_digest(const unsigned char digest[DIGEST_SIZE])
{
    uint64_t head;

    memcpy(&head, digest, sizeof head); /* SHA-256 has mixed it already */
    return head;
}

uint64_t hash_id(const unsigned char id[16])
{
    uint64_t half[2];

    memcpy(half, id, sizeof half);
    return hash_number(half[0] + half[1] * UINT64_C(0x9e3779b97f4a7c15));
}

uint64_t hash_pair(struct grant_pair pair)
{
    return hash_number((uint64_t)pair.organization << 32 | pair.principal);
}

static bool principal_matches(const void *items, uint32_t item, const void *key)
{
    return span_is(*(const struct span *)key, ((const struct principal *)items)[item].name);
}

static bool token_matches(const void *items, uint32_t item, const void *key)
{
    return digest_equal(((const struct token *)items)[item].digest, key);
}

static bool holder_matches(const void *items, uint32_t item, const void *key)
{
    return span_equal(((const struct holder *)items)[item].name, *(const struct span *)key);
}

static bool organization_matches(const void *items, uint32_t item, const void *key)
{
    return memcmp(((const struct organization *)items)[item].id, key, 16) == 0;
}

static bool grant_matches(const void *items, uint32_t item, const void *key)
{
    const struct grant *grant = (const struct grant *)items + item;
    const struct grant_pair *pair = key;

    return grant->organization == pair->organization && grant->principal == pair->principal;
}

uint32_t find_principal(const struct policy *policy, struct span name)
{
    return table_find(&policy->by_name, hash_bytes(name), principal_matches, policy->principals, &name);
}

uint32_t find_token(const struct policy *policy, const unsigned char digest[DIGEST_SIZE])
{
    return table_find(&policy->by_digest, hash_digest(digest), token_matches, policy->tokens, digest);
}

uint32_t find_holder(const struct policy *policy, struct span name)
{
    return table_find(&policy->by_holder, hash_bytes(name), holder_matches, policy->holders, &name);
}

uint32_t find_subject(const struct policy *policy, struct span name)
{
    return table_find(&policy->by_subject, hash_bytes(name), holder_matches, policy->subjects, &name);
}

uint32_t find_organization(const struct policy *policy, const unsigned char id[16])
{
    return table_find(&policy->by_id, hash_id(id), organization_matches, policy->organizations, id);
}

uint32_t find_grant(const struct policy *policy, struct grant_pair pair)
{
    return table_find(&policy->by_pair, hash_pair(pair), grant_matches, policy->grants, &pair);
}

const struct principal *policy_principal_by_digest(const struct policy *policy,
                                                   const unsigned char digest[32], const struct term **term)
{
    uint32_t found = find_token(policy, digest);

    *term = NULL;
    if (found == TABLE_NONE)
        return NULL;
    const struct token *token = &policy->tokens[found];
    if (token->term != ALWAYS)
        *term = &policy->terms[token->term];
    return &policy->principals[token->principal];
}

const struct principal *policy_principal_by_certificate(const struct policy *policy, struct span name)
{
    uint32_t holder = find_holder(policy, name);

    return holder == TABLE_NONE ? NULL : &policy->principals[policy->holders[holder].principal];
}

const struct principal *policy_principal_by_subject(const struct policy *policy, struct span subject)
{
    uint32_t found = find_subject(policy, subject);

    return found == TABLE_NONE ? NULL : &policy->principals[policy->subjects[found].principal];
}

const struct principal *policy_principal_named(const struct policy *policy, struct span name)
{
    uint32_t principal = find_principal(policy, name);

    return principal == TABLE_NONE ? NULL : &policy->principals[principal];
}

uint32_t policy_organization(const struct policy *policy, struct span text)
{
    unsigned char id[UUID_BYTES];

    return uuid_parse(text, id) ? policy_organization_by_id(policy, id) : EVERYWHERE;
}

uint32_t policy_organization_by_id(const struct policy *policy, const unsigned char id[UUID_BYTES])
{
    uint32_t found = find_organization(policy, id);

    return found == TABLE_NONE ? EVERYWHERE : found;
}

size_t policy_organization_count(const struct policy *policy)
{
    return policy->organization_count;
}

const unsigned char *policy_organization_id(const struct policy *policy, uint32_t organization)
{
    return organization == EVERYWHERE ? NULL : policy->organizations[organization].id;
}

/* Terms are few: most grants are good at any time, and look none up. */
static bool is_running(const struct policy *policy, const struct grant *grant, int64_t now)
{
    return grant->term == ALWAYS || term_at(&policy->terms[grant->term], now) == TERM_RUNNING;
}

/* Adds the grants from the first one on. */
static void access_add(const struct policy *policy, uint32_t first, int64_t now, struct access *access)
{
    for (uint32_t at = first; at != TABLE_NONE; at = policy->grants[at].next) {
        const struct grant *grant = &policy->grants[at];

        if (!is_running(policy, grant, now)) {
            access->lapsed |= grant->allowed;
            continue;
        }
        access->allowed |= grant->allowed;
        access->denied |= grant->denied;
        access->granted = true;
    }
}

struct access policy_access(const struct policy *policy, const struct principal *principal,
                            uint32_t organization, int64_t now)
{
    struct access access = {.here = TABLE_NONE, .everywhere = principal->everywhere};

    if (organization != EVERYWHERE)
        access.here = find_grant(policy, (struct grant_pair){organization, principal->index});
    access_add(policy, access.here, now, &access);
    access_add(policy, access.everywhere, now, &access);
    access.allowed &= ~access.denied;
    return access;
}

/* What a grant is looked for that does. */
struct wanted {
    permission_set permission;
    bool deny;
    bool lapsed; /* it is not in its time; otherwise it must be */
    int64_t now;
};

/* The first grant, from `first` on, that gives or takes away all of the permission, else some of it;
 * TABLE_NONE without one. */
static uint32_t grant_among(const struct policy *policy, uint32_t first, const struct wanted *wanted)
{
    uint32_t some = TABLE_NONE;

    for (uint32_t at = first; at != TABLE_NONE; at = policy->grants[at].next) {
        const struct grant *grant = &policy->grants[at];
        permission_set touched = (wanted->deny ? grant->denied : grant->allowed) & wanted->permission;
        if (touched == 0 || is_running(policy, grant, wanted->now) == wanted->lapsed)
            continue;
        if (touched == wanted->permission)
            return at;
        if (some == TABLE_NONE)
            some = at;
    }
    return some;
}

static uint32_t find_wanted(const struct policy *policy, struct grant_pair pair, const struct wanted *wanted)
{
    uint32_t grant = grant_among(policy, find_grant(policy, pair), wanted);

    if (grant == TABLE_NONE && pair.organization != EVERYWHERE) {
        pair.organization = EVERYWHERE;
        grant = grant_among(policy, find_grant(policy, pair), wanted);
    }
    return grant;
}

#define NUMBER_LONGEST 10 /* digits of 32 bits */

static char *spell(const unsigned char id[UUID_BYTES], char *to)
{
    uuid_spell(id, to);
    return to + UUID_TEXT_SIZE - 1;
}

/* "/organizations/<id>/grants/<number>", without printf: this is part of each judgement. `id` is the
 * organisation's where that is spelled already, else its data is NULL. */
static const char *spell_grant(const struct policy *policy, uint32_t grant, struct span id,
                               struct arena *arena)
{
    static const char before[] = "/organizations/", between[] = "/grants/";
    const struct organization *owner = &policy->organizations[policy->grants[grant].organization];
    const uint32_t number = grant - owner->first_grant;
    char *name = arena_take(arena, sizeof before + UUID_TEXT_SIZE + sizeof between + NUMBER_LONGEST),
         *to = name;
    size_t digits = 1;

    if (name == NULL)
        return NULL;
    to = mempcpy(to, before, sizeof before - 1);
    if (owner == &policy->organizations[EVERYWHERE])
        *to++ = '*';
    else if (id.data != NULL)
        to = mempcpy(to, id.data, UUID_TEXT_SIZE - 1);
    else
        to = spell(owner->id, to);
    to = mempcpy(to, between, sizeof between - 1);
    for (uint32_t left = number; left >= 10; left /= 10)
        digits++;
    to[digits] = '\0';
    for (uint32_t left = number; digits-- > 0; left /= 10)
        to[digits] = (char)('0' + left % 10);
    return name;
}

static const char *grant_name(const struct policy *policy, uint32_t grant, struct arena *arena)
{
    return spell_grant(policy, grant, (struct span){NULL, 0}, arena);
}

const char *policy_grant_pointer(const struct policy *policy, const struct principal *principal,
                                 uint32_t organization, permission_set permission, bool deny, int64_t now,
                                 struct arena *arena)
{
    const struct wanted wanted = {.permission = permission, .deny = deny, .now = now};
    uint32_t grant = find_wanted(policy, (struct grant_pair){organization, principal->index}, &wanted);

    return grant == TABLE_NONE ? "" : grant_name(policy, grant, arena);
}

const char *policy_access_grant(const struct policy *policy, const struct access *access,
                                permission_set permission, int64_t now, struct span organization,
                                struct arena *arena)
{
    const struct wanted wanted = {.permission = permission, .now = now};
    uint32_t grant = grant_among(policy, access->here, &wanted);

    if (grant == TABLE_NONE)
        grant = grant_among(policy, access->everywhere, &wanted);
    return grant == TABLE_NONE ? "" : spell_grant(policy, grant, organization, arena);
}

const char *policy_lapsed_grant(const struct policy *policy, const struct principal *principal,
                                uint32_t organization, permission_set permission, int64_t now,
                                struct term *term, struct arena *arena)
{
    const struct wanted wanted = {.permission = permission, .lapsed = true, .now = now};
    uint32_t grant = find_wanted(policy, (struct grant_pair){organization, principal->index}, &wanted);

    if (grant == TABLE_NONE)
        return "";
    *term = policy->terms[policy->grants[grant].term];
    return grant_name(policy, grant, arena);
}

const struct rule *policy_rule_named(const struct policy *policy, const char *pointer)
{
    static const char before[] = "/rules/";
    size_t index;

    if (strncmp(pointer, before, sizeof before - 1) != 0 ||
        !pointer_index(span_of(pointer + sizeof before - 1), &index) || index >= policy_rule_count(policy))
        return NULL;
    return policy_rule_at(policy, index);
}

uint32_t policy_grant_count(const struct policy *policy)
{
    return policy->grant_count;
}

const char *policy_grant_name(const struct policy *policy, uint32_t grant, struct arena *arena)
{
    return grant_name(policy, grant, arena);
}

uint32_t policy_grant_named(const struct policy *policy, const char *pointer)
{
    static const char before[] = "/organizations/", between[] = "/grants/";
    const char *id = pointer + sizeof before - 1;
    const char *end = strncmp(pointer, before, sizeof before - 1) == 0 ? strstr(id, between) : NULL;
    unsigned char bytes[UUID_BYTES];
    uint32_t organization = EVERYWHERE;
    size_t number;

    if (end == NULL || !pointer_index(span_of(end + sizeof between - 1), &number))
        return TABLE_NONE;
    struct span name = {id, (size_t)(end - id)};
    if (!span_is(name, "*"))
        organization = uuid_parse(name, bytes) ? find_organization(policy, bytes) : TABLE_NONE;
    if (organization == TABLE_NONE)
        return TABLE_NONE;
    uint64_t grant = policy->organizations[organization].first_grant + (uint64_t)number;
    return grant < policy->grant_count && policy->grants[grant].organization == organization ? (uint32_t)grant
                                                                                             : TABLE_NONE;
}

int policy_organization_credential(const struct policy *policy, uint32_t organization)
{
    int own = policy->organizations[organization].credential;

    return own != CREDENTIAL_OWN ? own : policy->organizations[EVERYWHERE].credential;
}

const struct version_rules *policy_version_rules(const struct policy *policy)
{
    return &policy->versions;
}

const struct reconcile_settings *policy_reconcile(const struct policy *policy)
{
    return &policy->reconcile;
}

const struct credential_source *policy_credentials(const struct policy *policy, size_t *count)
{
    *count = policy->credential_count;
    return policy->credentials;
}

const char *policy_digest(const struct policy *policy)
{
    return policy->digest;
}

const struct principal *policy_principal_at(const struct policy *policy, uint32_t index)
{
    return &policy->principals[index];
}

const uint32_t *policy_people(const struct principal *principal, size_t *count)
{
    *count = principal->people_count;
    return principal->people;
}

bool policy_is_owner(const struct principal *principal, const struct principal *of)
{
    const uint32_t *one = principal->people, *other = of->people;
    const uint32_t *one_end = one + principal->people_count, *other_end = other + of->people_count;

    while (one < one_end && other < other_end) {
        if (*one == *other)
            return true;
        if (*one < *other)
            one++;
        else
            other++;
    }
    return false;
}

bool policy_limits_rates(const struct policy *policy)
{
    return policy->limits_rates;
}

size_t policy_principal_count(const struct policy *policy)
{
    return policy->principal_count;
}
