/* The built-in set: two organisations with identifiers that one can remember. */
#include "tests/sandbox/fixtures.h"

#include <stdio.h>

#define PAYMENTS "11111111-2222-4333-8444-555555555555"
#define RESEARCH "22222222-3333-4444-8555-666666666666"

struct row {
    const char *type;
    const char *profile_name; /* NULL: made through V1 */
    bool has_broker;
    unsigned targets; /* hanging on it, each with two projects, and one more without any */
};

/* The row's place in the table, from 1, is the second group of its id: aaaaaaaa-0001-4000-8000-000000000001.
 */
static const struct row payments[] = {
    {"ecr", "payments-prod", false, 3},
    {"ecr", "payments-staging", false, 1},
    {"docker-hub", "public-images", false, 2},
    {"github", "source-code", false, 2},
    {"artifactory-cr", "datacenter", true, 2},
    {"gcr", NULL, false, 1},
    {"acr", "azure-west", false, 0},
    {"acr", "azure-north", false, 0},
    {"harbor-cr", "harbor.internal", true, 0},
    {"nexus-cr", "nexus 3", false, 0},
    {"quay-cr", "quay", false, 0},
    {"google-artifact-cr", "artifacts-eu", false, 0},
    {"google-artifact-cr", "artifacts-us", false, 0},
    {"digitalocean-cr", "droplets", false, 0},
    {"github-cr", "ghcr", false, 0},
    {"gitlab-cr", "gitlab-images", false, 0},
    {"gitlab", "gitlab-source", false, 0},
    {"kubernetes", "cluster-1", false, 0},
    {"terraform-cloud", NULL, false, 0},
    {"bitbucket-cloud", NULL, false, 0},
    {"azure-repos", "devops", false, 0},
    {"ecr", "payments-eu-1", false, 0},
    {"ecr", "payments-eu-2", false, 0},
    {"ecr", "payments-us-1", false, 0},
    {"ecr", "payments-us-2", false, 0},
};

static const struct row research[] = {
    {"ecr", "research", false, 2}, {"docker-hub", "models", false, 1}, {"github", "notebooks", false, 1},
    {"harbor-cr", "lab", true, 1}, {"quay-cr", NULL, false, 0},
};

static bool add_project(struct organization *organization, const struct target *target, char letter,
                        unsigned number)
{
    struct project project = {.created_at = "2025-11-02T08:00:00Z"};
    char name[64];

    (void)snprintf(name, sizeof name, "%s:build-%u", target->display_name, number);
    (void)snprintf(project.record.id, sizeof project.record.id, "%.8s-%.4s-4000-8000-%012u",
                   letter == 'a' ? "eeeeeeee" : "ffffffff", target->record.id + 9,
                   (unsigned)target->record.id[35] % 16 * 100 + number);
    memcpy(project.target_id, target->record.id, sizeof project.target_id);
    project.name = name;
    return store_add_project(organization, &project) != NULL;
}

static bool add_target(struct organization *organization, const struct integration *integration, char letter,
                       unsigned number, unsigned projects)
{
    struct target target = {.type = integration->type, .created_at = "2025-11-01T08:00:00Z"};
    char name[64];

    (void)snprintf(name, sizeof name, "acme/%s-%u", integration->type->name, number);
    (void)snprintf(target.record.id, sizeof target.record.id, "%.8s-%.4s-4000-8000-%012u",
                   letter == 'a' ? "cccccccc" : "dddddddd", integration->record.id + 9, number);
    memcpy(target.integration_id, integration->record.id, sizeof target.integration_id);
    target.display_name = name;
    struct target *added = store_add_target(organization, &target);
    for (unsigned i = 1; added != NULL && i <= projects; i++)
        if (!add_project(organization, added, letter, i))
            return false;
    return added != NULL;
}

static bool add_row(struct organization *organization, const struct row *row, char letter, size_t place)
{
    struct integration integration = {
        .type = catalogue_find(row->type),
        .has_broker = row->has_broker,
        .scan_enabled = true,
        .created_at = "2025-10-31T10:30:00Z",
    };
    char name[64];

    (void)snprintf(integration.record.id, sizeof integration.record.id, "%s-%04u-4000-8000-000000000001",
                   letter == 'a' ? "aaaaaaaa" : "bbbbbbbb", (unsigned)place % 10000);
    if (row->profile_name != NULL) {
        (void)snprintf(name, sizeof name, "%s", row->profile_name);
        integration.profile_name = name;
    }
    struct integration *added = store_add_integration(organization, &integration);
    for (unsigned i = 1; added != NULL && i <= row->targets; i++)
        if (!add_target(organization, added, letter, i, 2))
            return false;
    return added != NULL &&
           (row->targets == 0 || add_target(organization, added, letter, row->targets + 1, 0));
}

static bool add_organization(struct store *store, const char *id, char letter, const struct row *rows,
                             size_t count)
{
    struct organization *organization = store_add_organization(store, id);

    if (organization == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!add_row(organization, &rows[i], letter, i + 1))
            return false;
    return true;
}

bool fixtures_built_in(struct store *store)
{
    return add_organization(store, PAYMENTS, 'a', payments, sizeof payments / sizeof *payments) &&
           add_organization(store, RESEARCH, 'b', research, sizeof research / sizeof *research);
}
