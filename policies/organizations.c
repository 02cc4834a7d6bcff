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

bool organizations_collect(const struct policy *policy, const struct policy *other,
                           struct organizations *organizations)
{
    size_t room = policy->organization_count + (other != NULL ? other->organization_count : 0);

    *organizations = (struct organizations){.ids = calloc(room + 1, sizeof *organizations->ids)};
    if (organizations->ids == NULL)
        return false;
    add_listed(organizations, policy, NULL);
    if (other != NULL)
        add_listed(organizations, other, policy);
    return true;
}

void organizations_free(struct organizations *organizations)
{
    free(organizations->ids);
    *organizations = (struct organizations){0};
}
