#include "policies/organizations.h"

#include "policies/policy_internal.h"

#include <stdlib.h>

/* Those that the policy lists and the one before it (NULL: none) does not. */
static void add_listed(struct organizations *organizations, const struct policy *policy,
                       const struct policy *before)
{
    for (uint32_t i = EVERYWHERE + 1; i < policy->organization_count; i++) {
        const unsigned char *id = policy->organizations[i].id;

        if (before == NULL || find_organization(before, id) == TABLE_NONE)
            memcpy(organizations->ids[organizations->count++], id, UUID_BYTES);
    }
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, UUID_BYTES);
}

static size_t rules_name(const struct policy *policy)
{
    size_t named = 0;

    for (uint32_t i = 0; i < policy->rule_count; i++)
        named += policy->rules[i].organization_count;
    return named;
}

/* Those that rules of `policy` name and neither policy lists, from `first` on, each as often as it is named.
 */
static void add_ruled(struct organizations *organizations, const struct policy *policy,
                      const struct policy *one, const struct policy *other)
{
    for (uint32_t i = 0; i < policy->rule_count; i++)
        for (uint32_t at = 0; at < policy->rules[i].organization_count; at++) {
            const unsigned char *id = policy->rules[i].organizations[at];

            if (find_organization(one, id) == TABLE_NONE &&
                (other == NULL || find_organization(other, id) == TABLE_NONE))
                memcpy(organizations->ids[organizations->count++], id, UUID_BYTES);
        }
}

/* Leaves one of each behind the first ones. */
static void drop_doubles(struct organizations *organizations, size_t first)
{
    size_t kept = first;

    qsort(organizations->ids + first, organizations->count - first, sizeof *organizations->ids, compare_ids);
    for (size_t i = first; i < organizations->count; i++)
        if (kept == first || memcmp(organizations->ids[kept - 1], organizations->ids[i], UUID_BYTES) != 0)
            memmove(organizations->ids[kept++], organizations->ids[i], UUID_BYTES);
    organizations->count = kept;
}

bool organizations_collect(const struct policy *policy, const struct policy *other,
                           struct organizations *organizations)
{
    size_t room = policy->organization_count + rules_name(policy);

    if (other != NULL)
        room += other->organization_count + rules_name(other);

    *organizations = (struct organizations){.ids = calloc(room + 1, sizeof *organizations->ids)};
    if (organizations->ids == NULL)
        return false;
    add_listed(organizations, policy, NULL);
    if (other != NULL)
        add_listed(organizations, other, policy);
    size_t listed = organizations->count;
    add_ruled(organizations, policy, policy, other);
    if (other != NULL)
        add_ruled(organizations, other, policy, other);
    drop_doubles(organizations, listed);
    return true;
}

void organizations_free(struct organizations *organizations)
{
    free(organizations->ids);
    *organizations = (struct organizations){0};
}
