/* Which types of integrations are container registries: only these can be deleted, and only these have
 * settings. */
#ifndef POLICIES_CONTAINER_REGISTRY_H
#define POLICIES_CONTAINER_REGISTRY_H

#include "policies/span.h"

/* Is it one, by the API's name of the type ("ecr")? */
bool is_container_registry(struct span type);

#endif
