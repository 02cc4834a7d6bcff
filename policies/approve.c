#include "policies/approve.h"

#include "policies/permission.h"

/* Both lists are in ascending order. */
static bool share_a_person(const struct principal *one, const struct principal *other)
{
    size_t count, other_count;
    const uint32_t *people = policy_people(one, &count);
    const uint32_t *others = policy_people(other, &other_count);

    for (size_t i = 0, j = 0; i < count && j < other_count;) {
        if (people[i] == others[j])
            return true;
        if (people[i] < others[j])
            i++;
        else
            j++;
    }
    return false;
}

enum approve_right policy_may_approve(const struct policy *policy, const struct principal *approver,
                                      const struct principal *requester, struct span organization,
                                      int64_t now)
{
    permission_set asked = permission_named(SPAN("portcullis.approve"));
    struct access access = policy_access(policy, approver, policy_organization(policy, organization), now);

    if ((access.allowed & asked) != asked)
        return APPROVE_NO_PERMISSION;
    if (approver == requester)
        return APPROVE_IS_REQUESTER;
    return share_a_person(approver, requester) ? APPROVE_OWNS_REQUESTER : APPROVE_MAY;
}
