#include "policies/policy_summary.h"

#include "policies/policy_internal.h"

/* The policy before the first: its version rules and all else that is said once are no rules. */
static const struct policy nothing = {.principal_count = 0};

/* Is this item of a policy in the other one too? */
typedef bool item_kept(const struct policy *policy, uint32_t item, const struct policy *other);

static uint32_t principal_in(const struct policy *policy, uint32_t principal, const struct policy *other)
{
    return find_principal(other, span_of(policy->principals[principal].name));
}

static bool principal_kept(const struct policy *policy, uint32_t item, const struct policy *other)
{
    return principal_in(policy, item, other) != TABLE_NONE;
}

/* Is it still that principal's, and worth as much to it? */
static bool owner_kept(const struct policy *policy, uint32_t owner, uint32_t other_owner,
                       const struct policy *other)
{
    return other_owner == principal_in(policy, owner, other) &&
           policy->principals[owner].identity == other->principals[other_owner].identity;
}

/* May it be used at the same times? */
static bool term_kept(const struct policy *policy, uint32_t term, const struct policy *other,
                      uint32_t other_term)
{
    const struct term *one = &policy->terms[term], *two = &other->terms[other_term];

    return one->not_before == two->not_before && one->not_after == two->not_after;
}

static bool token_kept(const struct policy *policy, uint32_t item, const struct policy *other)
{
    const struct token *token = &policy->tokens[item];
    uint32_t same = find_token(other, token->digest);

    return same != TABLE_NONE && owner_kept(policy, token->principal, other->tokens[same].principal, other) &&
           term_kept(policy, token->term, other, other->tokens[same].term);
}

/* "*" stands first in every policy. */
static uint32_t organization_in(const struct policy *policy, uint32_t organization,
                                const struct policy *other)
{
    return organization == EVERYWHERE ? EVERYWHERE
                                      : find_organization(other, policy->organizations[organization].id);
}

static bool organization_kept(const struct policy *policy, uint32_t item, const struct policy *other)
{
    return organization_in(policy, item, other) != TABLE_NONE;
}

static bool grant_kept(const struct policy *policy, uint32_t item, const struct policy *other)
{
    const struct grant *grant = &policy->grants[item];
    const struct grant_pair pair = {organization_in(policy, grant->organization, other),
                                    principal_in(policy, grant->principal, other)};

    if (pair.organization == TABLE_NONE || pair.principal == TABLE_NONE)
        return false;
    for (uint32_t at = find_grant(other, pair); at != TABLE_NONE; at = other->grants[at].next)
        if (other->grants[at].allowed == grant->allowed && other->grants[at].denied == grant->denied &&
            term_kept(policy, grant->term, other, other->grants[at].term))
            return true;
    return false;
}

static bool holder_kept(const struct policy *policy, uint32_t item, const struct policy *other)
{
    const struct holder *holder = &policy->holders[item];
    uint32_t same = find_holder(other, holder->name);

    return same != TABLE_NONE && owner_kept(policy, holder->principal, other->holders[same].principal, other);
}

static bool subject_kept(const struct policy *policy, uint32_t item, const struct policy *other)
{
    const struct holder *subject = &policy->subjects[item];
    uint32_t same = find_subject(other, subject->name);

    return same != TABLE_NONE &&
           owner_kept(policy, subject->principal, other->subjects[same].principal, other);
}

static bool audit_row_kept(const struct policy *policy, uint32_t item, const struct policy *other)
{
    const struct audit_row *row = &policy->audit_rows[item];
    enum audit_level level;

    return policy_audit_level(other, row->operation, &level) && level == row->level;
}

/* ---- what principals have ---- */

static bool same_limit(const struct rate_limit *one, const struct rate_limit *other)
{
    return one->requests == other->requests && (one->requests == 0 || one->seconds == other->seconds);
}

static bool rate_limit_kept(const struct policy *policy, uint32_t item, const struct policy *other)
{
    const struct rate_limit *limit = &policy->principals[item].rate_limit;
    uint32_t same = principal_in(policy, item, other);

    return limit->requests == 0 ||
           (same != TABLE_NONE && same_limit(limit, &other->principals[same].rate_limit));
}

static bool break_glass_kept(const struct policy *policy, uint32_t item, const struct policy *other)
{
    const struct rate_limit *budget = &policy->principals[item].break_glass;
    uint32_t same = principal_in(policy, item, other);

    return budget->requests == 0 ||
           (same != TABLE_NONE && same_limit(budget, &other->principals[same].break_glass));
}

static bool has_person(const struct policy *policy, const struct principal *principal, const char *name)
{
    for (uint32_t i = 0; i < principal->people_count; i++)
        if (strcmp(policy->principals[principal->people[i]].name, name) == 0)
            return true;
    return false;
}

/* The people behind a principal, as a set. */
static bool people_kept(const struct policy *policy, uint32_t item, const struct policy *other)
{
    const struct principal *principal = &policy->principals[item];
    uint32_t same = principal_in(policy, item, other);

    if (same == TABLE_NONE)
        return principal->people_count <= 1; /* itself at most */
    if (principal->people_count != other->principals[same].people_count)
        return false;
    for (uint32_t i = 0; i < principal->people_count; i++)
        if (!has_person(other, &other->principals[same], policy->principals[principal->people[i]].name))
            return false;
    return true;
}

/* ---- keys that the gate holds ---- */

static bool same_credential(const struct policy *policy, int credential, const struct policy *other,
                            int other_credential)
{
    if (credential == CREDENTIAL_OWN)
        return true; /* it has none that could be lost */
    if (other_credential == CREDENTIAL_OWN)
        return false;
    const struct credential_source *one = &policy->credentials[credential],
                                   *same = &other->credentials[other_credential];
    return one->kind == same->kind && strcmp(one->name, same->name) == 0;
}

/* Of each principal, then of each organisation, then that of reconciliation. */
static uint32_t credential_places(const struct policy *policy)
{
    return policy->principal_count + policy->organization_count + (policy->credentials != NULL ? 1 : 0);
}

static bool credential_kept(const struct policy *policy, uint32_t item, const struct policy *other)
{
    uint32_t same;

    if (item < policy->principal_count) {
        same = principal_in(policy, item, other);
        return same_credential(policy, policy->principals[item].credential, other,
                               same != TABLE_NONE ? other->principals[same].credential : CREDENTIAL_OWN);
    }
    item -= policy->principal_count;
    if (item < policy->organization_count) {
        same = organization_in(policy, item, other);
        return same_credential(policy, policy->organizations[item].credential, other,
                               same != TABLE_NONE && same < other->organization_count
                                   ? other->organizations[same].credential
                                   : CREDENTIAL_OWN);
    }
    return same_credential(policy, policy->reconcile.credential, other,
                           other->credentials != NULL ? other->reconcile.credential : CREDENTIAL_OWN);
}

static bool rule_kept(const struct policy *policy, uint32_t item, const struct policy *other)
{
    const struct rule *rule = &policy->rules[item];

    /* It is looked for where it stood first: rules seldom move. */
    for (uint32_t i = 0; i < other->rule_count; i++)
        if (memcmp(other->rules[(item + i) % other->rule_count].digest, rule->digest, sizeof rule->digest) ==
            0)
            return true;
    return false;
}

/* Is what is refused there only observed? "*" is all that the policy does not list. */
static bool observed_kept(const struct policy *policy, uint32_t item, const struct policy *other)
{
    uint32_t same = other != &nothing ? organization_in(policy, item, other) : TABLE_NONE;

    if (policy == &nothing || !policy_observes(policy, item))
        return true;
    return other != &nothing && policy_observes(other, same != TABLE_NONE ? same : EVERYWHERE);
}

/* ---- what is said once ---- */

static bool same_string(const char *one, const char *other)
{
    return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

/* Whose OAuth tokens are taken. There is one issuer, or none. */
static bool oauth_kept(const struct policy *policy, uint32_t item, const struct policy *other)
{
    const struct oauth_rules *one = &policy->oauth, *same = &other->oauth;

    (void)item;
    return same_string(one->jwt.issuer, same->jwt.issuer) &&
           same_string(one->jwt.audience, same->jwt.audience) &&
           same_string(one->jwt.claim, same->jwt.claim) && same_string(one->keys, same->keys);
}

static bool same_headers(const struct span *one, const struct span *other)
{
    for (; one->data != NULL && other->data != NULL; one++, other++)
        if (!span_equal(*one, *other))
            return false;
    return one->data == other->data; /* both at their end */
}

/* Which versions may be asked for. */
static bool versions_kept(const struct policy *policy, const struct policy *other)
{
    const struct version_rules *one = &policy->versions, *same = &other->versions;

    return same_string(one->pattern != NULL ? pattern_source(one->pattern) : NULL,
                       same->pattern != NULL ? pattern_source(same->pattern) : NULL) &&
           one->oldest == same->oldest && one->newest == same->newest &&
           memcmp(one->allowed, same->allowed, sizeof one->allowed) == 0 && one->calendar == same->calendar &&
           same_headers(one->headers, same->headers);
}

static bool times_kept(const struct policy *policy, const struct policy *other)
{
    const struct reconcile_settings *one = &policy->reconcile, *same = &other->reconcile;

    return one->declined == same->declined && one->settle_s == same->settle_s &&
           one->retry_s == same->retry_s && one->deadline_s == same->deadline_s;
}

static bool pre_image_kept(const struct policy *policy, const struct policy *other)
{
    return policy->pre_image == other->pre_image;
}

/* What a policy says once, and always says. */
static bool (*const said_once[])(const struct policy *policy,
                                 const struct policy *other) = {versions_kept, times_kept, pre_image_kept};

#define SETTINGS ((uint32_t)(sizeof said_once / sizeof *said_once))

static bool setting_kept(const struct policy *policy, uint32_t item, const struct policy *other)
{
    return policy == &nothing || other == &nothing || said_once[item](policy, other);
}

/* ---- writing ---- */

static uint32_t count_lost(const struct policy *policy, uint32_t count, item_kept *kept,
                           const struct policy *other)
{
    uint32_t lost = 0;

    for (uint32_t i = 0; i < count; i++)
        lost += !kept(policy, i, other);
    return lost;
}

static void write_names(struct text *out, const struct policy *policy, const struct policy *other)
{
    unsigned written = 0;

    text_add(out, "[", 1);
    for (uint32_t i = 0; i < policy->principal_count && written < SUMMARY_NAMES; i++) {
        if (principal_kept(policy, i, other))
            continue;
        text_add(out, ",", written > 0);
        text_add_json(out, span_of(policy->principals[i].name));
        written++;
    }
    text_add(out, "]", 1);
}

void policy_summary_write(const struct policy *before, const struct policy *now, struct text *out)
{
    const struct policy *old = before != NULL ? before : &nothing;
    const struct {
        const char *name;
        item_kept *kept;
        uint32_t old_count, now_count;
        bool named;
    } parts[] = {
        /* in the order of the names */
        {"audit", audit_row_kept, old->audit_row_count, now->audit_row_count, false},
        {"break_glass", break_glass_kept, old->principal_count, now->principal_count, false},
        {"certificates", holder_kept, old->holder_count, now->holder_count, false},
        {"credentials", credential_kept, credential_places(old), credential_places(now), false},
        {"grants", grant_kept, old->grant_count, now->grant_count, false},
        {"oauth", oauth_kept, policy_oauth(old) != NULL, policy_oauth(now) != NULL, false},
        {"observed", observed_kept, old->organization_count, now->organization_count, false},
        {"organizations", organization_kept, old->organization_count, now->organization_count, false},
        {"people", people_kept, old->principal_count, now->principal_count, false},
        {"principals", principal_kept, old->principal_count, now->principal_count, true},
        {"rate_limits", rate_limit_kept, old->principal_count, now->principal_count, false},
        {"rules", rule_kept, old->rule_count, now->rule_count, false},
        {"settings", setting_kept, SETTINGS, SETTINGS, false},
        {"subjects", subject_kept, old->subject_count, now->subject_count, false},
        {"tokens", token_kept, old->token_count, now->token_count, false}};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        text_add_format(out, "%s\"%s\":{\"gained\":%u", i > 0 ? "," : "{", parts[i].name,
                        count_lost(now, parts[i].now_count, parts[i].kept, old));
        if (parts[i].named) {
            text_add_string(out, ",\"gained_names\":");
            write_names(out, now, old);
        }
        text_add_format(out, ",\"lost\":%u", count_lost(old, parts[i].old_count, parts[i].kept, now));
        if (parts[i].named) {
            text_add_string(out, ",\"lost_names\":");
            write_names(out, old, now);
        }
        text_add_string(out, "}");
    }
    text_add_string(out, "}");
}
