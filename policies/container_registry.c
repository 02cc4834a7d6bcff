#include "policies/container_registry.h"

/* In the order of the API's description. */
#define TYPES(NAME)                                                                                          \
    NAME("acr")                                                                                              \
    NAME("artifactory-cr")                                                                                   \
    NAME("digitalocean-cr")                                                                                  \
    NAME("docker-hub")                                                                                       \
    NAME("ecr")                                                                                              \
    NAME("gcr")                                                                                              \
    NAME("github-cr")                                                                                        \
    NAME("gitlab-cr")                                                                                        \
    NAME("google-artifact-cr")                                                                               \
    NAME("harbor-cr")                                                                                        \
    NAME("nexus-cr")                                                                                         \
    NAME("quay-cr")
static const struct span types[] = {TYPES(SPAN_SET_NAME)};

bool is_container_registry(struct span type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (span_equal(types[i], type))
            return true;
    return false;
}
