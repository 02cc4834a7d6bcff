/* Questions to a compiled policy. Nothing here allocates but policy_rule, and no answer's cost depends on the
 * policy's size. */
#include "policies/ascii.h"
#include "policies/policy_internal.h"

#include <openssl/crypto.h>

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
    return hash_number(hash_number(half[0]) ^ half[1]);
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
    return CRYPTO_memcmp(((const struct token *)items)[item].digest, key, DIGEST_SIZE) == 0;
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

uint32_t find_organization(const struct policy *policy, const unsigned char id[16])
{
    return table_find(&policy->by_id, hash_id(id), organization_matches, policy->organizations, id);
}

uint32_t find_grant(const struct policy *policy, struct grant_pair pair)
{
    return table_find(&policy->by_pair, hash_pair(pair), grant_matches, policy->grants, &pair);
}

bool uuid_read(struct span text, unsigned char id[16])
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    size_t digits = 0;

    if (text.length != sizeof form - 1)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        int value = ascii_hex(text.data[i]);
        if (form[i] == '-' ? text.data[i] != '-' : value < 0)
            return false;
        if (form[i] == '-')
            continue;
        unsigned char *byte = &id[digits / 2];
        *byte = (unsigned char)(digits % 2 == 0 ? value << 4 : *byte | value);
        digits++;
    }
    return true;
}

void uuid_write(const unsigned char id[16], char text[UUID_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;

    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[at++] = '-';
        text[at++] = digits[id[i] >> 4];
        text[at++] = digits[id[i] & 15];
    }
    text[at] = '\0';
}

const struct principal *policy_principal_by_digest(const struct policy *policy,
                                                   const unsigned char digest[32])
{
    uint32_t token = find_token(policy, digest);

    return token == TABLE_NONE ? NULL : &policy->principals[policy->tokens[token].principal];
}

const struct principal *policy_principal_named(const struct policy *policy, struct span name)
{
    uint32_t principal = find_principal(policy, name);

    return principal == TABLE_NONE ? NULL : &policy->principals[principal];
}

/* The index of the organisation that the text names; EVERYWHERE for one that the policy does not list. */
static uint32_t organization_named(const struct policy *policy, struct span text)
{
    unsigned char id[16];
    uint32_t found = uuid_read(text, id) ? find_organization(policy, id) : TABLE_NONE;

    return found == TABLE_NONE ? EVERYWHERE : found;
}

static void access_add(const struct policy *policy, struct grant_pair pair, struct access *access)
{
    for (uint32_t at = find_grant(policy, pair); at != TABLE_NONE; at = policy->grants[at].next) {
        access->allowed |= policy->grants[at].allowed;
        access->denied |= policy->grants[at].denied;
        access->granted = true;
    }
}

struct access policy_access(const struct policy *policy, const struct principal *principal,
                            struct span organization)
{
    uint32_t own = organization_named(policy, organization);
    struct access access = {0};

    if (own != EVERYWHERE)
        access_add(policy, (struct grant_pair){own, principal->index}, &access);
    access_add(policy, (struct grant_pair){EVERYWHERE, principal->index}, &access);
    access.allowed &= ~access.denied;
    return access;
}

/* The first grant of the pair that gives or takes away all of the permission, else some of it; TABLE_NONE
 * without one. */
static uint32_t rule_of_pair(const struct policy *policy, struct grant_pair pair, permission_set permission,
                             bool deny)
{
    uint32_t some = TABLE_NONE;

    for (uint32_t at = find_grant(policy, pair); at != TABLE_NONE; at = policy->grants[at].next) {
        const struct grant *grant = &policy->grants[at];
        permission_set touched = (deny ? grant->denied : grant->allowed) & permission;
        if (touched == permission)
            return at;
        if (touched != 0 && some == TABLE_NONE)
            some = at;
    }
    return some;
}

const char *policy_rule(const struct policy *policy, const struct principal *principal,
                        struct span organization, permission_set permission, bool deny, struct arena *arena)
{
    uint32_t own = organization_named(policy, organization);
    uint32_t rule = rule_of_pair(policy, (struct grant_pair){own, principal->index}, permission, deny);
    char name[UUID_TEXT_SIZE] = "*";

    if (permission == 0)
        return "";
    if (rule == TABLE_NONE && own != EVERYWHERE)
        rule = rule_of_pair(policy, (struct grant_pair){EVERYWHERE, principal->index}, permission, deny);
    if (rule == TABLE_NONE)
        return "";

    uint32_t owner = policy->grants[rule].organization;
    if (owner != EVERYWHERE)
        uuid_write(policy->organizations[owner].id, name);
    return arena_format(arena, "/organizations/%s/grants/%u", name,
                        rule - policy->organizations[owner].first_grant);
}

int policy_organization_credential(const struct policy *policy, struct span organization)
{
    int own = policy->organizations[organization_named(policy, organization)].credential;

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

size_t policy_principal_count(const struct policy *policy)
{
    return policy->principal_count;
}
