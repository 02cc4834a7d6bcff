/* Permissions: Snyk's names and the finer ones below them, as sets of bits. */
#ifndef POLICIES_PERMISSION_H
#define POLICIES_PERMISSION_H

#include "policies/span.h"

#include <stdint.h>

typedef uint32_t permission_set;

/* The set that a name stands for: org.integration.edit is all of create, update, delete and settings.edit. 0
 * for an unknown name. */
permission_set permission_named(struct span name);

/* The name that fits the set best: the one that stands for exactly it, else the first one missing. Static
 * storage. */
const char *permission_name(permission_set set);

/* Every name, NULL-terminated, for suggestions and for the manual. Static storage. */
const char *const *permission_names(void);

#endif
