#include "tests/sandbox/store.h"

#include <stdlib.h>

struct organization *store_organization(const struct store *store, const char *id)
{
    for (size_t i = 0; i < store->count; i++)
        if (memcmp(store->organizations[i].id, id, UUID_LENGTH) == 0)
            return &store->organizations[i];
    return NULL;
}

struct organization *store_add_organization(struct store *store, const char *id)
{
    struct organization *grown =
        reallocarray(store->organizations, store->count + 1, sizeof *store->organizations);

    if (grown == NULL)
        return NULL;
    store->organizations = grown;
    struct organization *organization = &grown[store->count++];
    *organization = (struct organization){.last_number = 0};
    memcpy(organization->id, id, sizeof organization->id);
    return organization;
}

void *shelf_find(const struct shelf *shelf, const char *id)
{
    for (size_t i = 0; i < shelf->count; i++)
        if (memcmp(shelf->records[i]->id, id, UUID_LENGTH) == 0)
            return shelf->records[i];
    return NULL;
}

/* A copy of `size` bytes at the end of the shelf. */
static void *shelf_add(struct organization *organization, struct shelf *shelf, const void *from, size_t size)
{
    if (shelf->count == shelf->capacity) {
        size_t capacity = shelf->capacity ? shelf->capacity * 2 : 16;
        struct record **grown = reallocarray(shelf->records, capacity, sizeof *grown);

        if (grown == NULL)
            return NULL;
        shelf->records = grown;
        shelf->capacity = capacity;
    }
    struct record *record = malloc(size);
    if (record == NULL)
        return NULL;
    memcpy(record, from, size);
    record->number = ++organization->last_number;
    shelf->records[shelf->count++] = record;
    return record;
}

/* Takes the record off the shelf without freeing it. */
static void shelf_take(struct shelf *shelf, const struct record *record)
{
    for (size_t i = 0; i < shelf->count; i++)
        if (shelf->records[i] == record) {
            memmove(&shelf->records[i], &shelf->records[i + 1],
                    (shelf->count - i - 1) * sizeof *shelf->records);
            shelf->count--;
            return;
        }
}

const struct integration *store_name_taken(const struct organization *organization, const char *name,
                                           const struct integration *except)
{
    for (size_t i = 0; i < organization->integrations.count; i++) {
        const struct integration *integration = (const void *)organization->integrations.records[i];

        if (integration != except && integration->profile_name &&
            strcmp(integration->profile_name, name) == 0)
            return integration;
    }
    return NULL;
}

struct integration *store_add_integration(struct organization *organization, const struct integration *from)
{
    struct integration copy = *from;

    copy.profile_name = from->profile_name ? strdup(from->profile_name) : NULL;
    if (from->profile_name != NULL && copy.profile_name == NULL)
        return NULL;
    struct integration *added = shelf_add(organization, &organization->integrations, &copy, sizeof copy);
    if (added == NULL)
        free(copy.profile_name);
    return added;
}

static size_t count_projects(const struct organization *organization, const char *target_id)
{
    size_t count = 0;

    for (size_t i = 0; i < organization->projects.count; i++) {
        const struct project *project = (const void *)organization->projects.records[i];
        count += memcmp(project->target_id, target_id, UUID_LENGTH) == 0;
    }
    return count;
}

struct target *store_add_target(struct organization *organization, const struct target *from)
{
    struct target copy = *from;

    copy.projects = count_projects(organization, from->record.id);
    copy.display_name = strdup(from->display_name);
    if (copy.display_name == NULL)
        return NULL;
    struct target *added = shelf_add(organization, &organization->targets, &copy, sizeof copy);
    if (added == NULL)
        free(copy.display_name);
    return added;
}

struct project *store_add_project(struct organization *organization, const struct project *from)
{
    struct project copy = *from;

    copy.name = strdup(from->name);
    if (copy.name == NULL)
        return NULL;
    struct project *added = shelf_add(organization, &organization->projects, &copy, sizeof copy);
    if (added == NULL) {
        free(copy.name);
        return NULL;
    }
    struct target *target = shelf_find(&organization->targets, added->target_id);
    if (target != NULL)
        target->projects++;
    return added;
}

static void free_integration(struct integration *integration)
{
    free(integration->profile_name);
    free(integration);
}

static void free_target(struct target *target)
{
    free(target->display_name);
    free(target);
}

static void free_project(struct project *project)
{
    free(project->name);
    free(project);
}

void store_remove_integration(struct organization *organization, struct integration *integration)
{
    for (size_t i = 0; i < organization->targets.count; i++) {
        struct target *target = (void *)organization->targets.records[i];

        if (memcmp(target->integration_id, integration->record.id, UUID_LENGTH) == 0)
            target->integration_id[0] = '\0';
    }
    shelf_take(&organization->integrations, &integration->record);
    free_integration(integration);
}

void store_remove_target(struct organization *organization, struct target *target)
{
    shelf_take(&organization->targets, &target->record);
    free_target(target);
}

void store_remove_project(struct organization *organization, struct project *project)
{
    struct target *target = shelf_find(&organization->targets, project->target_id);

    if (target != NULL)
        target->projects--;
    shelf_take(&organization->projects, &project->record);
    free_project(project);
}

static void free_organization(struct organization *organization)
{
    for (size_t i = 0; i < organization->integrations.count; i++)
        free_integration((void *)organization->integrations.records[i]);
    for (size_t i = 0; i < organization->targets.count; i++)
        free_target((void *)organization->targets.records[i]);
    for (size_t i = 0; i < organization->projects.count; i++)
        free_project((void *)organization->projects.records[i]);
    free(organization->integrations.records);
    free(organization->targets.records);
    free(organization->projects.records);
}

void store_clear(struct store *store)
{
    for (size_t i = 0; i < store->count; i++)
        free_organization(&store->organizations[i]);
    free(store->organizations);
    *store = (struct store){0};
}

static void write_string(struct text *out, const char *member, const char *value)
{
    text_add_string(out, member);
    if (value == NULL || *value == '\0')
        text_add_string(out, "null");
    else
        text_add_json(out, span_of(value));
}

static void write_integration(const struct record *record, struct text *out)
{
    const struct integration *integration = (const void *)record;

    write_string(out, "{\"id\":", record->id);
    write_string(out, ",\"integration_type\":", integration->type->name);
    write_string(out, ",\"profile_name\":", integration->profile_name);
    text_add_format(out, ",\"has_broker\":%s,\"settings\":{", integration->has_broker ? "true" : "false");
    if (integration->type->kind != KIND_OTHER)
        text_add_format(out, "\"container_app_scan_enabled\":%s",
                        integration->scan_enabled ? "true" : "false");
    write_string(out, "},\"created_at\":", integration->created_at);
    write_string(out, ",\"updated_at\":", integration->updated_at);
    text_add_string(out, "}");
}

static void write_target(const struct record *record, struct text *out)
{
    const struct target *target = (const void *)record;

    write_string(out, "{\"id\":", record->id);
    write_string(out, ",\"integration_id\":", target->integration_id);
    if (target->unrelated)
        text_add_string(out, ",\"unrelated\":true");
    write_string(out, ",\"display_name\":", target->display_name);
    write_string(out, ",\"source_type\":", target->type ? target->type->name : NULL);
    write_string(out, ",\"created_at\":", target->created_at);
    text_add_string(out, "}");
}

static void write_project(const struct record *record, struct text *out)
{
    const struct project *project = (const void *)record;

    write_string(out, "{\"id\":", record->id);
    write_string(out, ",\"target_id\":", project->target_id);
    write_string(out, ",\"name\":", project->name);
    write_string(out, ",\"created_at\":", project->created_at);
    text_add_string(out, "}");
}

static void write_shelf(const struct shelf *shelf, struct text *out,
                        void write(const struct record *, struct text *))
{
    text_add_string(out, "[");
    for (size_t i = 0; i < shelf->count; i++) {
        text_add_string(out, i > 0 ? "," : "");
        write(shelf->records[i], out);
    }
    text_add_string(out, "]");
}

void store_write(const struct store *store, struct text *out)
{
    text_add_string(out, "{\"organizations\":{");
    for (size_t i = 0; i < store->count; i++) {
        const struct organization *organization = &store->organizations[i];

        text_add_format(out, "%s\"%s\":{\"integrations\":", i > 0 ? "," : "", organization->id);
        write_shelf(&organization->integrations, out, write_integration);
        text_add_string(out, ",\"targets\":");
        write_shelf(&organization->targets, out, write_target);
        text_add_string(out, ",\"projects\":");
        write_shelf(&organization->projects, out, write_project);
        text_add_string(out, "}");
    }
    text_add_string(out, "}}");
}
