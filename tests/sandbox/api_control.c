/* The sandbox's own paths: faults, state, reset. */
#include "tests/sandbox/call.h"

static struct text *begin(struct call *call, int status)
{
    call->answer->status = status;
    call->answer->content_type = "application/json";
    return &call->answer->body;
}

void control_add_fault(struct call *call)
{
    struct fault_error error = {{0}, {0}};
    uint64_t id = faults_add(&call->api->faults, call->request->body, &error);

    if (id == 0)
        call_refuse_pointer(call, error.pointer, NULL, error.message);
    else
        text_add_format(begin(call, 201), "{\"id\":%llu}", (unsigned long long)id);
}

void control_list_faults(struct call *call)
{
    struct text *body = begin(call, 200);

    text_add_string(body, "{\"faults\":[");
    faults_write(&call->api->faults, body);
    text_add_string(body, "]}");
}

/* All of them, or the one whose id ends the path. */
void control_clear_faults(struct call *call)
{
    if (call->segment_count == 2) {
        faults_clear(&call->api->faults);
        call->answer->status = 204;
    } else if (faults_remove(&call->api->faults, call->segments[2])) {
        call->answer->status = 204;
    } else {
        answer_error(call->answer, 404, "There is no fault of that id.");
    }
}

void control_state(struct call *call)
{
    store_write(&call->api->store, begin(call, 200));
}

void control_reset(struct call *call)
{
    if (api_reset(call->api))
        call->answer->status = 204;
    else
        answer_error(call->answer, 500, "Memory is out.");
}
