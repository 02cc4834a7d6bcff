/* Members of two policy files that no other part compares by meaning, compared as they stand: what the
 * language gets in time to come is not passed over in silence. */
#include "policies/diff_internal.h"

/* Members that are compared by meaning, or mean nothing. */
static const char *const root_members[] = {"$schema",    "description",   "api_versions", "principals",
                                           "roles",      "organizations", "audit",        "reconcile",
                                           "rate_limit", "rules",         "enforcement",  NULL};
static const char *const principal_members[] = {
    "tokens",      "certificates", "identity", "upstream_token", "rate_limit",
    "description", "break_glass",  "subjects", "owners",         NULL};
static const char *const organization_members[] = {"name",        "upstream_token", "grants",
                                                   "description", "enforcement",    NULL};

static bool is_known(const char *const *known, const char *name)
{
    while (*known != NULL && strcmp(*known, name) != 0)
        known++;
    return *known != NULL;
}

static void tell(struct diff *diff, const char *above, const char *name, const char *member)
{
    struct text pointer = {0};

    text_add_string(&pointer, above);
    if (name != NULL)
        pointer_add(&pointer, name);
    pointer_add(&pointer, member);
    diff->failed = diff->failed || pointer.failed;
    diff_tell(diff, &(struct change){.sense = CHANGE_MAYBE,
                                     .what = "file",
                                     .subject = diff->failed ? "" : pointer.data,
                                     .detail = "differs, and what that comes to is not known here"});
    text_free(&pointer);
}

/* Members of either object that are not known and are not the same in both. */
static void compare_members(struct diff *diff, const char *above, const char *name, json_t *before,
                            json_t *now, const char *const *known)
{
    const char *member;
    json_t *value;

    json_object_foreach (before, member, value) {
        if (!is_known(known, member) && !json_equal(value, json_object_get(now, member)))
            tell(diff, above, name, member);
    }
    json_object_foreach (now, member, value) {
        if (!is_known(known, member) && json_object_get(before, member) == NULL)
            tell(diff, above, name, member);
    }
}

static void compare_each(struct diff *diff, const char *above, const char *section, const char *const *known)
{
    json_t *before = json_object_get(diff->old.policy_document->root, section);
    json_t *now = json_object_get(diff->new.policy_document->root, section);
    const char *name;
    json_t *value;

    json_object_foreach (now, name, value) {
        compare_members(diff, above, name, json_object_get(before, name), value, known);
    }
}

/* Whose keys verify OAuth tokens says who is let in. */
static void compare_keys(struct diff *diff)
{
    const struct jwks *before = diff->old.keys, *now = diff->new.keys;

    if (policy_oauth(diff->old.policy) == NULL || policy_oauth(diff->new.policy) == NULL ||
        (before == NULL && now == NULL))
        return; /* one that takes no tokens differs in its member "oauth" */
    if (before != NULL && now != NULL && memcmp(jwks_digest(before), jwks_digest(now), DIGEST_SIZE) == 0)
        return;
    diff_tell(diff, &(struct change){.sense = CHANGE_MAYBE,
                                     .what = "oauth-keys",
                                     .subject = policy_oauth(diff->new.policy)->keys,
                                     .detail = before != NULL && now != NULL
                                                   ? "tokens are verified with other keys"
                                                   : "the keys of one of the two are not at hand"});
}

void diff_rest(struct diff *diff)
{
    compare_keys(diff);
    compare_members(diff, "", NULL, diff->old.policy_document->root, diff->new.policy_document->root,
                    root_members);
    compare_each(diff, "/principals", "principals", principal_members);
    compare_each(diff, "/organizations", "organizations", organization_members);
}
