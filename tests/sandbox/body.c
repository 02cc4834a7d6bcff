#include "tests/sandbox/body.h"

#define ATTRIBUTES  "/data/attributes"
#define CREDENTIALS "/data/attributes/credentials"

struct string_rule {
    const char *member;
    enum shape shape;
    size_t shortest, longest; /* in characters; longest 0: no bound */
};

static const struct string_rule profile_rule = {"profile_name", SHAPE_PROFILE, 1, 255};

/* The members of each kind's credentials; all are required when an integration is made. */
static const struct string_rule credential_rules[][4] = {
    [KIND_OTHER] = {{NULL, SHAPE_ANY, 0, 0}},
    [KIND_ECR] = {{"region", SHAPE_REGION, 1, 0}, {"role_arn", SHAPE_ROLE, 20, 2048}},
    [KIND_DOCKER_HUB] = {{"username", SHAPE_ANY, 1, 255}, {"password", SHAPE_ANY, 1, 0}},
    [KIND_GENERIC] = {{"username", SHAPE_ANY, 1, 255},
                      {"password", SHAPE_ANY, 1, 0},
                      {"registry_base", SHAPE_HOST, 1, 255}},
    [KIND_GOOGLE] = {{"password", SHAPE_ANY, 1, 0}, {"registry_base", SHAPE_HOST, 1, 255}},
    [KIND_DIGITAL_OCEAN] = {{"token", SHAPE_TOKEN, 1, 500}},
};

static size_t count_characters(const char *string)
{
    size_t count = 0;

    for (; *string != '\0'; string++)
        count += ((unsigned char)*string & 0xc0) != 0x80;
    return count;
}

static void check_string(struct call *call, json_t *object, const char *pointer,
                         const struct string_rule *rule)
{
    json_t *member = json_object_get(object, rule->member);
    const char *string = json_string_value(member);

    if (member == NULL)
        return;
    if (string == NULL) {
        call_refuse_pointer(call, pointer, rule->member, "must be a string");
        return;
    }
    size_t length = count_characters(string);
    if (length < rule->shortest || (rule->longest > 0 && length > rule->longest))
        call_refuse_pointer(call, pointer, rule->member, "is too short or too long");
    else if (!shapes_match(&call->api->shapes, rule->shape, string))
        call_refuse_pointer(call, pointer, rule->member, "does not have the documented form");
}

/* Reports members that are not in the list and those of the first `required` that are missing; false for what
 * is no object. */
static bool check_members(struct call *call, json_t *object, const char *pointer, const char *const *known,
                          size_t required)
{
    const char *name;
    json_t *value;

    if (!json_is_object(object)) {
        call_refuse_pointer(call, pointer, NULL, "must be an object");
        return false;
    }
    for (size_t i = 0; i < required; i++)
        if (json_object_get(object, known[i]) == NULL)
            call_refuse_pointer(call, pointer, known[i], "is missing");
    json_object_foreach (object, name, value) {
        size_t i = 0;
        while (known[i] != NULL && strcmp(known[i], name) != 0)
            i++;
        if (known[i] == NULL)
            call_refuse_pointer(call, pointer, name, "is not allowed here");
    }
    return true;
}

static void check_credentials(struct call *call, json_t *credentials, enum credentials_kind kind, bool whole)
{
    const struct string_rule *rules = credential_rules[kind];
    const char *known[4] = {NULL};
    size_t count = 0;

    for (; count < 3 && rules[count].member != NULL; count++)
        known[count] = rules[count].member;
    if (!check_members(call, credentials, CREDENTIALS, known, whole ? count : 0))
        return;
    if (json_object_size(credentials) == 0 && !whole)
        call_refuse_pointer(call, CREDENTIALS, NULL, "must not be empty");
    for (size_t i = 0; i < count; i++)
        check_string(call, credentials, CREDENTIALS, &rules[i]);
}

/* `type` where it is given, `id` where it is given: what they must say. */
static void check_identity(struct call *call, json_t *data, const char *type)
{
    json_t *said_type = json_object_get(data, "type"), *said_id = json_object_get(data, "id");
    char id[UUID_LENGTH + 1];

    if (said_type != NULL && (!json_is_string(said_type) || strcmp(json_string_value(said_type), type) != 0))
        call_refuse_pointer(call, "/data", "type", "is not the type of this resource");
    if (said_id != NULL && (!json_is_string(said_id) || !uuid_read(span_of(json_string_value(said_id)), id) ||
                            strcmp(id, call->id) != 0))
        call_refuse_pointer(call, "/data", "id", "must equal the id in the path");
}

void body_check_create(struct call *call, json_t *body)
{
    static const char *const root_members[] = {"data", NULL};
    static const char *const data_members[] = {"type", "attributes", NULL};
    static const char *const attribute_members[] = {"integration_type", "profile_name", "credentials", NULL};
    json_t *data = json_object_get(body, "data"), *attributes = json_object_get(data, "attributes");
    json_t *type_name = json_object_get(attributes, "integration_type");
    json_t *credentials = json_object_get(attributes, "credentials");

    if (!check_members(call, body, "", root_members, 1) || data == NULL)
        return;
    if (!check_members(call, data, "/data", data_members, 2) || attributes == NULL)
        return;
    check_identity(call, data, "integration");
    if (!check_members(call, attributes, ATTRIBUTES, attribute_members, 3))
        return;
    check_string(call, attributes, ATTRIBUTES, &profile_rule);
    if (type_name == NULL)
        return;
    const struct integration_type *type =
        json_is_string(type_name) ? catalogue_find(json_string_value(type_name)) : NULL;
    if (type == NULL || type->kind == KIND_OTHER)
        call_refuse_pointer(call, ATTRIBUTES, "integration_type", "is no type that can be made here");
    else if (credentials != NULL)
        check_credentials(call, credentials, type->kind, true);
}

void body_check_update(struct call *call, json_t *body)
{
    static const char *const root_members[] = {"data", NULL};
    static const char *const data_members[] = {"id", "type", "attributes", NULL};
    static const char *const attribute_members[] = {"profile_name", "credentials", NULL};
    const struct integration *integration = shelf_find(&call->organization->integrations, call->id);
    json_t *data = json_object_get(body, "data"), *attributes = json_object_get(data, "attributes");
    json_t *credentials = json_object_get(attributes, "credentials");

    if (!check_members(call, body, "", root_members, 0) || data == NULL)
        return;
    if (!check_members(call, data, "/data", data_members, 0))
        return;
    check_identity(call, data, "integration");
    if (attributes == NULL || !check_members(call, attributes, ATTRIBUTES, attribute_members, 0))
        return;
    check_string(call, attributes, ATTRIBUTES, &profile_rule);
    if (credentials != NULL)
        check_credentials(call, credentials, integration->type->kind, false);
}

void body_check_settings(struct call *call, json_t *body)
{
    static const char *const root_members[] = {"data", NULL};
    static const char *const data_members[] = {"type", "id", "attributes", NULL};
    static const char *const attribute_members[] = {"container_app_scan_enabled", NULL};
    json_t *data = json_object_get(body, "data"), *attributes = json_object_get(data, "attributes");
    json_t *enabled = json_object_get(attributes, "container_app_scan_enabled");

    if (!check_members(call, body, "", root_members, 1) || data == NULL)
        return;
    if (!check_members(call, data, "/data", data_members, 3) || attributes == NULL)
        return;
    check_identity(call, data, "integration_settings");
    if (!check_members(call, attributes, ATTRIBUTES, attribute_members, 0))
        return;
    if (enabled != NULL && !json_is_boolean(enabled))
        call_refuse_pointer(call, ATTRIBUTES, "container_app_scan_enabled", "must be true or false");
}
