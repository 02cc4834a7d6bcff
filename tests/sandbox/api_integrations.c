/* Integrations: list, make, read, change, delete, and V1's switch for the broker. */
#include "tests/sandbox/body.h"
#include "tests/sandbox/paging.h"

#include <stdlib.h>

static void add_integration(struct call *call, const struct integration *integration)
{
    struct text *body = &call->answer->body;

    call_add_member(call, "{\"type\":\"integration\",\"id\":", integration->record.id);
    call_add_member(call, ",\"attributes\":{\"integration_type\":", integration->type->name);
    call_add_member(call, ",\"profile_name\":", integration->profile_name);
    text_add_string(body, integration->has_broker ? ",\"has_broker\":true" : ",\"has_broker\":false");
    call_add_member(call, ",\"created_at\":", integration->created_at);
    call_add_member(call, ",\"updated_at\":", integration->updated_at);
    call_add_member(
        call, "},\"relationships\":{\"org\":{\"data\":{\"type\":\"org\",\"id\":", call->organization->id);
    text_add_string(body, "}}}}");
}

/* The document of one integration. */
static void answer_integration(struct call *call, int status, const struct integration *integration)
{
    answer_begin(call->answer, status);
    text_add_string(&call->answer->body, ",\"data\":");
    add_integration(call, integration);
    call_add_self(call, status == 201 ? integration->record.id : NULL);
}

void integrations_list(struct call *call)
{
    const struct shelf *shelf = &call->organization->integrations;
    struct page page;

    if (!page_cut(call, shelf->records, shelf->count, &page))
        return;
    answer_begin(call->answer, 200);
    text_add_string(&call->answer->body, ",\"data\":[");
    for (size_t i = page.from; i < page.to; i++) {
        text_add_string(&call->answer->body, i > page.from ? "," : "");
        add_integration(call, (const void *)shelf->records[i]);
    }
    text_add_string(&call->answer->body, "]");
    page_add_links(call, &page);
}

static bool name_is_free(struct call *call, const char *name, const struct integration *except)
{
    if (store_name_taken(call->organization, name, except) == NULL)
        return true;
    answer_problem(call->answer, 409, "pointer", span_of("/data/attributes/profile_name"),
                   "An integration of that profile name exists in the organization.");
    return false;
}

void integrations_create(struct call *call)
{
    json_t *body = call_body(call, body_check_create);
    json_t *attributes = json_object_get(json_object_get(body, "data"), "attributes");
    const char *name = json_string_value(json_object_get(attributes, "profile_name"));

    if (body != NULL && name_is_free(call, name, NULL)) {
        struct integration integration = {
            .type = catalogue_find(json_string_value(json_object_get(attributes, "integration_type"))),
            .profile_name = (char *)(uintptr_t)name, /* copied, not changed */
            .scan_enabled = true,
        };
        struct text location = {0};

        uuid_make(&call->api->ids, integration.record.id);
        stamp_now(integration.created_at);
        memcpy(integration.updated_at, integration.created_at, sizeof integration.updated_at);
        if (store_add_integration(call->organization, &integration) == NULL) {
            answer_error(call->answer, 500, "Memory is out.");
        } else {
            call_add_path(call, &location);
            text_add_format(&location, "/%s", integration.record.id);
            call_add_version(call, &location);
            answer_field(call->answer, "location", (struct span){location.data, location.length});
            answer_integration(call, 201, &integration);
        }
        text_free(&location);
    }
    json_decref(body);
}

void integrations_get(struct call *call)
{
    const struct integration *integration = call_find(call, &call->organization->integrations);

    if (integration != NULL)
        answer_integration(call, 200, integration);
}

/* Gives the integration another name; false after an error. */
static bool rename_integration(struct call *call, struct integration *integration, const char *name)
{
    if (!name_is_free(call, name, integration))
        return false;
    char *copy = strdup(name);
    if (copy == NULL) {
        answer_error(call->answer, 500, "Memory is out.");
        return false;
    }
    free(integration->profile_name);
    integration->profile_name = copy;
    return true;
}

void integrations_update(struct call *call)
{
    struct integration *integration = call_find(call, &call->organization->integrations);

    if (integration == NULL)
        return;
    if (integration->type->kind == KIND_OTHER) {
        answer_error(call->answer, 400, "Only integrations with container registries can be changed here.");
        return;
    }
    json_t *body = call_body(call, body_check_update);
    if (body == NULL)
        return;
    json_t *attributes = json_object_get(json_object_get(body, "data"), "attributes");
    const char *name = json_string_value(json_object_get(attributes, "profile_name"));

    if (name == NULL || rename_integration(call, integration, name)) {
        if (json_object_size(attributes) > 0)
            stamp_now(integration->updated_at);
        answer_integration(call, 200, integration);
    }
    json_decref(body);
}

void integrations_delete(struct call *call)
{
    struct integration *integration = call_find(call, &call->organization->integrations);

    if (integration == NULL)
        return;
    if (integration->type->kind == KIND_OTHER) {
        answer_error(call->answer, 400, "Only integrations with container registries can be deleted here.");
    } else if (integration->has_broker) {
        answer_error(
            call->answer, 400,
            "The integration is brokered: broker mode must be switched off through the V1 API first.");
    } else {
        store_remove_integration(call->organization, integration);
        call->answer->status = 204;
    }
}

static void check_broker(struct call *call, json_t *body)
{
    json_t *enabled = json_object_get(json_object_get(body, "broker"), "enabled");

    if (!json_is_boolean(enabled))
        call_refuse_pointer(call, "/broker", "enabled", "must be true or false");
}

/* Of V1's update of an integration only what turns the broker on and off. */
void integrations_switch_broker(struct call *call)
{
    struct integration *integration = call_find(call, &call->organization->integrations);
    json_t *body = integration ? call_body(call, check_broker) : NULL;

    if (body == NULL)
        return;
    integration->has_broker = json_is_true(json_object_get(json_object_get(body, "broker"), "enabled"));
    stamp_now(integration->updated_at);
    call->answer->status = 200;
    call->answer->content_type = "application/json";
    text_add_format(&call->answer->body, "{\"id\":\"%s\"}", integration->record.id);
    json_decref(body);
}
