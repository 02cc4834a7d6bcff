/* Every organisation that is named somewhere in one policy, or in either of two: the places of a matrix. */
#ifndef POLICIES_ORGANIZATIONS_H
#define POLICIES_ORGANIZATIONS_H

#include "policies/policy.h"
#include "policies/uuid.h"

struct organizations {
    unsigned char (*ids)[UUID_BYTES];
    size_t count;
};

/* The organisations that the policies name, each once: those that they list in the order of the files, then
 * those that only a rule names. `other` may be NULL. False when memory is out; organizations_free either way.
 */
bool organizations_collect(const struct policy *policy, const struct policy *other,
                           struct organizations *organizations);
void organizations_free(struct organizations *organizations);

#endif
