#include "tests/sandbox/catalogue.h"

#include <stddef.h>
#include <string.h>

const struct integration_type *catalogue_find(const char *name)
{
    static const struct integration_type types[] = {
        {"acr", KIND_GENERIC},
        {"artifactory-cr", KIND_GENERIC},
        {"digitalocean-cr", KIND_DIGITAL_OCEAN},
        {"docker-hub", KIND_DOCKER_HUB},
        {"ecr", KIND_ECR},
        {"gcr", KIND_GOOGLE},
        {"github-cr", KIND_GENERIC},
        {"gitlab-cr", KIND_GENERIC},
        {"google-artifact-cr", KIND_GOOGLE},
        {"harbor-cr", KIND_GENERIC},
        {"nexus-cr", KIND_GENERIC},
        {"quay-cr", KIND_GENERIC},
        {"azure-repos", KIND_OTHER},
        {"bitbucket-cloud", KIND_OTHER},
        {"bitbucket-connect-app", KIND_OTHER},
        {"bitbucket-server", KIND_OTHER},
        {"github", KIND_OTHER},
        {"github-cloud-app", KIND_OTHER},
        {"github-enterprise", KIND_OTHER},
        {"github-server-app", KIND_OTHER},
        {"gitlab", KIND_OTHER},
        {"kubernetes", KIND_OTHER},
        {"terraform-cloud", KIND_OTHER},
    };

    for (size_t row = 0; row < sizeof types / sizeof *types; row++)
        if (strcmp(types[row].name, name) == 0)
            return &types[row];
    return NULL;
}
