#ifndef POLICIES_LINKS_INTERNAL_H
#define POLICIES_LINKS_INTERNAL_H

#include "policies/links.h"

/* Length of what stands before the path of a link that points at the upstream; 0 for any other link. */
size_t link_origin(struct span link, const struct links_origin *from);

#endif
