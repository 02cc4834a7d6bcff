#include "policies/approve.h"

#include "policies/permission.h"

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
    return policy_is_owner(approver, requester) ? APPROVE_OWNS_REQUESTER : APPROVE_MAY;
}
