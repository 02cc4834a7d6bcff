/* One call of the API while it is carried out: the request taken apart, and the helpers that its handlers
 * share. */
#ifndef SANDBOX_CALL_H
#define SANDBOX_CALL_H

#include "policies/arena.h"
#include "tests/sandbox/api.h"

#include <jansson.h>

#define CALL_SEGMENTS   8
#define CALL_PARAMETERS 16

struct parameter {
    struct span name, value; /* decoded */
};

struct call {
    struct api *api;
    const struct http_request *request;
    struct answer *answer;
    const char *link_base;
    struct span segments[CALL_SEGMENTS]; /* of the path, decoded; UUIDs in lower case once they are matched */
    size_t segment_count;
    struct parameter parameters[CALL_PARAMETERS];
    size_t parameter_count;
    struct organization *organization;
    char id[UUID_LENGTH + 1]; /* of the record that the path names */
    struct arena arena;
};

/* Takes the target apart; false when it cannot be (400). Either way call_free must be called. */
bool call_read(struct call *call);

/* Frees what call_read took. */
void call_free(struct call *call);

/* The first value of a query parameter; data is NULL when it is missing. */
struct span call_parameter(const struct call *call, const char *name);

/* The record on the shelf that the path names; NULL after a 404. */
void *call_find(struct call *call, const struct shelf *shelf);

/* Appends `member` as it is and the value as a JSON string to the body; null for a missing or empty one. */
void call_add_member(struct call *call, const char *member, const char *value);

/* The body as JSON, checked by the function, which reports what is wrong with it in the answer; NULL after an
 * error. The caller owns the reference. */
json_t *call_body(struct call *call, void check(struct call *, json_t *body));

/* Appends the path of the call with its UUIDs in lower case, behind the link base: /rest/orgs/… */
void call_add_path(const struct call *call, struct text *out);

/* Appends "?version=…" of the call, which needs no escapes once it was found good. */
void call_add_version(const struct call *call, struct text *out);

/* Appends ,"links":{"self":…} for the path, with `/id` behind it when the id is not NULL. */
void call_add_self(struct call *call, const char *id);

/* Begins an error of the client; the shapes of answer_problem with less to write. */
void call_refuse_parameter(struct call *call, const char *name, const char *detail);
void call_refuse_pointer(struct call *call, const char *pointer, const char *member, const char *detail);

/* The handlers, one for each operation. They are called with the organisation found. */
void integrations_list(struct call *call);
void integrations_create(struct call *call);
void integrations_get(struct call *call);
void integrations_update(struct call *call);
void integrations_delete(struct call *call);
void integrations_switch_broker(struct call *call); /* V1 */
void settings_get(struct call *call);
void settings_update(struct call *call);
void targets_list(struct call *call);
void targets_get(struct call *call);
void targets_delete(struct call *call);
void projects_list(struct call *call);
void projects_get(struct call *call);
void projects_delete(struct call *call);

/* The handlers of the sandbox itself. */
void control_add_fault(struct call *call);
void control_list_faults(struct call *call);
void control_clear_faults(struct call *call);
void control_state(struct call *call);
void control_reset(struct call *call);

#endif
