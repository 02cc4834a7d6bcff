/* The settings of an integration. There is one, and only container registries have it. */
#include "tests/sandbox/body.h"
#include "tests/sandbox/paging.h"

static void answer_settings(struct call *call, const struct integration *integration)
{
    struct text *body = &call->answer->body;

    answer_begin(call->answer, 200);
    text_add_format(body, ",\"data\":{\"type\":\"integration_settings\",\"id\":\"%s\",\"attributes\":{",
                    call->id);
    if (integration->type->kind != KIND_OTHER)
        text_add_format(body, "\"container_app_scan_enabled\":%s",
                        integration->scan_enabled ? "true" : "false");
    text_add_string(body, "}}");
    call_add_self(call, NULL);
}

void settings_get(struct call *call)
{
    const struct integration *integration = call_find(call, &call->organization->integrations);

    /* The paging parameters are documented here too, though there is nothing to page. */
    if (integration != NULL && page_check(call))
        answer_settings(call, integration);
}

void settings_update(struct call *call)
{
    struct integration *integration = call_find(call, &call->organization->integrations);

    if (integration == NULL)
        return;
    if (integration->type->kind == KIND_OTHER) {
        answer_error(call->answer, 400, "Only integrations with container registries have settings.");
        return;
    }
    json_t *body = call_body(call, body_check_settings);
    if (body == NULL)
        return;
    json_t *attributes = json_object_get(json_object_get(body, "data"), "attributes");
    json_t *enabled = json_object_get(attributes, "container_app_scan_enabled");

    if (enabled != NULL) {
        integration->scan_enabled = json_is_true(enabled);
        stamp_now(integration->updated_at);
    }
    answer_settings(call, integration);
    json_decref(body);
}
