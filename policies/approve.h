/* Who may approve what others ask for, and as whom they count. Pure. */
#ifndef POLICIES_APPROVE_H
#define POLICIES_APPROVE_H

#include "policies/policy.h"

enum approve_right {
    APPROVE_MAY,
    APPROVE_NO_PERMISSION,  /* no portcullis.approve in that organisation, or not at that moment */
    APPROVE_IS_REQUESTER,   /* it is its own request */
    APPROVE_OWNS_REQUESTER, /* the two have a person in common */
};

/* May the principal approve what the requester asks for in the organisation (the text of its UUID; empty:
 * none, so "*" counts), at that moment (seconds since the epoch)? */
enum approve_right policy_may_approve(const struct policy *policy, const struct principal *approver,
                                      const struct principal *requester, struct span organization,
                                      int64_t now);

#endif
