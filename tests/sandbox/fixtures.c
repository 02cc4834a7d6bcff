#include "tests/sandbox/fixtures.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

#define MADE_AT "2025-10-31T10:30:00Z" /* where a fixture does not say */

/* The file while it is read: what to say when it is wrong. */
struct reading {
    struct organization *organization;
    struct fixtures_fault *fault;
    char place[128]; /* the value being read */
};

static bool wrong(struct reading *reading, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Notes what is wrong with the value being read. */
static bool wrong(struct reading *reading, const char *format, ...)
{
    char message[128];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    (void)snprintf(reading->fault->message, sizeof reading->fault->message, "%s: %s", reading->place,
                   message);
    return false;
}

/* A member that nobody reads is a slip of the keyboard. */
static bool members_known(struct reading *reading, json_t *object, const char *const *known)
{
    const char *name;
    json_t *value;

    if (!json_is_object(object))
        return wrong(reading, "must be an object");
    json_object_foreach (object, name, value) {
        size_t i = 0;
        while (known[i] != NULL && strcmp(known[i], name) != 0)
            i++;
        if (known[i] == NULL)
            return wrong(reading, "unknown member \"%.60s\"", name);
    }
    return true;
}

/* A string member; *value stays as it is when the member is missing or null. */
static bool read_string(struct reading *reading, json_t *object, const char *name, const char **value)
{
    json_t *member = json_object_get(object, name);

    if (member == NULL || json_is_null(member))
        return true;
    if (!json_is_string(member))
        return wrong(reading, "%s must be a string", name);
    *value = json_string_value(member);
    return true;
}

static bool read_bool(struct reading *reading, json_t *object, const char *name, bool *value)
{
    json_t *member = json_object_get(object, name);

    if (member != NULL && !json_is_boolean(member))
        return wrong(reading, "%s must be true or false", name);
    if (member != NULL)
        *value = json_is_true(member);
    return true;
}

static bool read_uuid(struct reading *reading, json_t *object, const char *name, char uuid[UUID_LENGTH + 1])
{
    const char *text = NULL;

    if (!read_string(reading, object, name, &text))
        return false;
    if (!uuid_read(span_of(text), uuid))
        return wrong(reading, "%s must be a UUID", name);
    return true;
}

static bool read_time(struct reading *reading, json_t *object, const char *name, char out[STAMP_SIZE])
{
    const char *text = out;

    if (!read_string(reading, object, name, &text))
        return false;
    if (text != out && strlen(text) >= STAMP_SIZE)
        return wrong(reading, "%s is too long for a time", name);
    if (text != out)
        memcpy(out, text, strlen(text) + 1);
    return true;
}

static bool read_type(struct reading *reading, json_t *object, const char *name,
                      const struct integration_type **type)
{
    const char *text = NULL;

    if (!read_string(reading, object, name, &text))
        return false;
    if (text == NULL)
        return true;
    *type = catalogue_find(text);
    return *type != NULL || wrong(reading, "%s is no integration type", name);
}

/* The record's id, which must be new on its shelf. */
static bool read_id(struct reading *reading, json_t *object, const struct shelf *shelf,
                    char id[UUID_LENGTH + 1])
{
    if (!read_uuid(reading, object, "id", id))
        return false;
    return shelf_find(shelf, id) == NULL || wrong(reading, "id is used twice");
}

static bool read_integration(struct reading *reading, json_t *object)
{
    static const char *const known[] = {"id",         "integration_type", "profile_name", "has_broker",
                                        "created_at", "updated_at",       "settings",     NULL};
    static const char *const settings_known[] = {"container_app_scan_enabled", NULL};
    struct integration integration = {.scan_enabled = true, .created_at = MADE_AT};
    json_t *settings = json_object_get(object, "settings");
    const char *profile_name = NULL;

    if (!members_known(reading, object, known) ||
        !read_id(reading, object, &reading->organization->integrations, integration.record.id) ||
        !read_type(reading, object, "integration_type", &integration.type) ||
        !read_string(reading, object, "profile_name", &profile_name) ||
        !read_bool(reading, object, "has_broker", &integration.has_broker) ||
        !read_time(reading, object, "created_at", integration.created_at) ||
        !read_time(reading, object, "updated_at", integration.updated_at))
        return false;
    if (integration.type == NULL)
        return wrong(reading, "integration_type is missing");
    if (settings != NULL &&
        (!members_known(reading, settings, settings_known) ||
         !read_bool(reading, settings, "container_app_scan_enabled", &integration.scan_enabled)))
        return false;
    integration.profile_name = (char *)(uintptr_t)profile_name; /* copied, not changed */
    return store_add_integration(reading->organization, &integration) || wrong(reading, "memory is out");
}

static bool read_target(struct reading *reading, json_t *object)
{
    static const char *const known[] = {
        "id", "integration_id", "display_name", "source_type", "created_at", "unrelated", NULL};
    struct target target = {.created_at = MADE_AT};
    json_t *owner = json_object_get(object, "integration_id");
    const char *display_name = "a target";

    if (!members_known(reading, object, known) ||
        !read_id(reading, object, &reading->organization->targets, target.record.id) ||
        !read_string(reading, object, "display_name", &display_name) ||
        !read_time(reading, object, "created_at", target.created_at))
        return false;
    target.unrelated = json_is_true(json_object_get(object, "unrelated"));
    if (owner != NULL && !json_is_null(owner)) {
        if (!read_uuid(reading, object, "integration_id", target.integration_id))
            return false;
        const struct integration *integration =
            shelf_find(&reading->organization->integrations, target.integration_id);
        if (integration == NULL)
            return wrong(reading, "integration_id names no integration of this organisation");
        target.type = integration->type;
    }
    if (!read_type(reading, object, "source_type", &target.type))
        return false;
    target.display_name = (char *)(uintptr_t)display_name; /* copied, not changed */
    return store_add_target(reading->organization, &target) || wrong(reading, "memory is out");
}

static bool read_project(struct reading *reading, json_t *object)
{
    static const char *const known[] = {"id", "target_id", "name", "created_at", NULL};
    struct project project = {.created_at = MADE_AT};
    const char *name = "a project";

    if (!members_known(reading, object, known) ||
        !read_id(reading, object, &reading->organization->projects, project.record.id) ||
        !read_uuid(reading, object, "target_id", project.target_id) ||
        !read_string(reading, object, "name", &name) ||
        !read_time(reading, object, "created_at", project.created_at))
        return false;
    project.name = (char *)(uintptr_t)name; /* copied, not changed */
    return store_add_project(reading->organization, &project) || wrong(reading, "memory is out");
}

static bool read_list(struct reading *reading, json_t *object, const char *name,
                      bool read(struct reading *, json_t *))
{
    json_t *list = json_object_get(object, name), *value;
    size_t i;

    (void)snprintf(reading->place, sizeof reading->place, "%s/%s", reading->organization->id, name);
    if (list != NULL && !json_is_array(list))
        return wrong(reading, "must be an array");
    json_array_foreach (list, i, value) {
        (void)snprintf(reading->place, sizeof reading->place, "%s/%s/%zu", reading->organization->id, name,
                       i);
        if (!read(reading, value))
            return false;
    }
    return true;
}

static bool read_organization(struct reading *reading, struct store *store, const char *name, json_t *value)
{
    static const char *const known[] = {"name", "integrations", "targets", "projects", NULL};
    char id[UUID_LENGTH + 1];

    (void)snprintf(reading->place, sizeof reading->place, "organizations/%.60s", name);
    if (!uuid_read(span_of(name), id))
        return wrong(reading, "the name of an organisation must be a UUID");
    if (store_organization(store, id) != NULL)
        return wrong(reading, "is there twice");
    if (!members_known(reading, value, known))
        return false;
    reading->organization = store_add_organization(store, id);
    if (reading->organization == NULL)
        return wrong(reading, "memory is out");
    return read_list(reading, value, "integrations", read_integration) &&
           read_list(reading, value, "targets", read_target) &&
           read_list(reading, value, "projects", read_project);
}

static bool read_root(struct reading *reading, struct store *store, json_t *root)
{
    static const char *const known[] = {"organizations", NULL};
    json_t *organizations, *value;
    const char *name;

    (void)snprintf(reading->place, sizeof reading->place, "the document");
    if (!members_known(reading, root, known))
        return false;
    organizations = json_object_get(root, "organizations");
    if (!json_is_object(organizations))
        return wrong(reading, "needs the member \"organizations\", an object");
    json_object_foreach (organizations, name, value) {
        if (!read_organization(reading, store, name, value))
            return false;
    }
    return true;
}

bool fixtures_read(struct store *store, struct span text, struct fixtures_fault *fault)
{
    struct reading reading = {.fault = fault};
    json_error_t error;
    json_t *root = json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES, &error);

    if (root == NULL) {
        (void)snprintf(fault->message, sizeof fault->message, "line %d, column %d: %s", error.line,
                       error.column, error.text);
        return false;
    }
    bool good = read_root(&reading, store, root);
    json_decref(root);
    return good;
}
