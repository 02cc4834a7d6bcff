/* What the schemas of a document say about one value in it, and what a member's name says: for whoever must
 * know whether something may be shown. */
#ifndef POLICIES_SCHEMA_VIEW_H
#define POLICIES_SCHEMA_VIEW_H

#include "policies/schema_internal.h"

#define VIEW_MAX 24

/* The schemas that may speak about a value, the alternatives of each included: what one of them calls secret
 * is secret. */
struct view {
    const struct schema *list[VIEW_MAX];
    size_t count;
    bool overflow; /* there are more: nothing is known then */
};

static const struct view no_view = {.count = 0};

/* Of the whole value; empty for NULL. */
struct view view_of(const struct schema *schema);

/* Of a member, or with NULL of the elements. */
struct view view_below(const struct view *view, const char *name);

/* Does one of them name this member? Such a name is the contract's and no secret. */
bool view_names(const struct view *view, const char *name);

/* Is a member of that name a secret, or "credentials", below which all is one? */
bool name_is_secret(const char *name);
bool name_is_credentials(const char *name);

#endif
