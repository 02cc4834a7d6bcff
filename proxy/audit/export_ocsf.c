/* OCSF 1.5.0 events of class API Activity (6003) with the Security Control profile.
 *
 * A stage of a request is an event of its own, tied to the others by metadata.correlation_uid. What the gate
 * did by itself (start, policy, …) has the activity Other, named after its stage; segment headers are of the
 * log's form alone and have no event. What the class has no place for stands in `unmapped`. */
#include "proxy/audit/export_internal.h"
#include "proxy/audit/when.h"

#define CATEGORY 6
#define CLASS    6003

struct choice { /* an OCSF enum: the number and its caption */
    int id;
    const char *caption;
};

static const struct choice activity_unknown = {0, "Unknown"}, activity_create = {1, "Create"},
                           activity_read = {2, "Read"}, activity_update = {3, "Update"},
                           activity_delete = {4, "Delete"};
static const struct choice informational = {1, "Informational"}, low = {2, "Low"}, medium = {3, "Medium"},
                           high = {4, "High"};
static const struct choice unknown = {0, "Unknown"}, success = {1, "Success"}, failure = {2, "Failure"};
static const struct choice allowed = {1, "Allowed"}, denied = {2, "Denied"};
static const struct choice disposed_allowed = {1, "Allowed"}, disposed_blocked = {2, "Blocked"},
                           disposed_logged = {17, "Logged"}, disposed_unauthorized = {26, "Unauthorized"},
                           disposed_error = {27, "Error"};

/* What an event is judged as. */
struct judgement {
    struct choice activity, severity, status, action, disposition;
};

/* ---- judging ---- */

static bool is(const json_t *record, const char *name, const char *text)
{
    const char *value = member_text(record, name);

    return value != NULL && strcmp(value, text) == 0;
}

static struct choice activity_of(const json_t *record)
{
    static const struct {
        const char *effect;
        const struct choice *activity;
    } table[] = {
        {"read", &activity_read},
        {"create", &activity_create},
        {"update", &activity_update},
        {"hard-delete", &activity_delete},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (is(record, "effect", table[i].effect))
            return *table[i].activity;
    return activity_unknown;
}

/* What became of a request that was let through, by the answer's status. */
static struct choice ended(const json_t *record, const char *status)
{
    json_int_t code = member_number(record, status, 0);

    if (is(record, "result", "unknown"))
        return unknown;
    return code >= 200 && code < 400 ? success : failure;
}

static void judge_intent(const json_t *record, struct judgement *to)
{
    (void)record;
    to->status = (struct choice){99, "Pending"};
}

static void judge_outcome(const json_t *record, struct judgement *to)
{
    to->status = ended(record, "upstream_status");
    if (is(record, "result", "unknown"))
        to->severity = high;
    if (is(record, "result", "not-sent"))
        to->disposition = disposed_error;
}

static void judge_refused(const json_t *record, struct judgement *to)
{
    json_int_t status = member_number(record, "status", 0);

    to->severity = low;
    to->status = failure;
    to->action = denied;
    to->disposition = status == 403   ? disposed_unauthorized
                      : status >= 500 ? disposed_error
                                      : disposed_blocked;
}

/* A read is told of once; it was let through when it may have reached the upstream. */
static void judge_read(const json_t *record, struct judgement *to)
{
    if (json_is_true(json_object_get(record, "sent")))
        to->status = ended(record, "status");
    else
        judge_refused(record, to);
}

static void judge_unauthenticated(const json_t *record, struct judgement *to)
{
    judge_refused(record, to);
    to->disposition = disposed_blocked;
}

static void judge_reconciled(const json_t *record, struct judgement *to)
{
    bool known = !is(record, "result", "unknown");

    to->activity = (struct choice){99, "Reconcile"};
    to->severity = known ? informational : high;
    to->status = known ? success : unknown;
    to->disposition = disposed_logged;
}

/* What the gate did by itself. */
static void judge_own(const json_t *record, struct judgement *to)
{
    (void)record;
    to->status = success;
    to->disposition = disposed_logged;
}

static void judge_trouble(const json_t *record, struct judgement *to)
{
    judge_own(record, to);
    to->severity = medium;
}

static void judge_loss(const json_t *record, struct judgement *to)
{
    judge_own(record, to);
    to->severity = high;
    to->status = failure;
}

/* ---- stages ---- */

static const struct stage {
    const char *name;
    void (*judge)(const json_t *record, struct judgement *to); /* NULL: no event */
    const char *activity;                                      /* of what the gate did by itself */
} stages[] = {
    {"intent", judge_intent, NULL},
    {"outcome", judge_outcome, NULL},
    {"refused", judge_refused, NULL},
    {"read", judge_read, NULL},
    {"approval", judge_own, "Approval"},
    {"dry-run", judge_own, "Dry run"},
    {"replayed", judge_own, "Replay"},
    {"breaker", judge_trouble, "Breaker"},
    {"unauthenticated", judge_unauthenticated, NULL},
    {"reconciled", judge_reconciled, NULL},
    {"policy", judge_own, "Policy"},
    {"key", judge_own, "Key"},
    {"start", judge_own, "Start"},
    {"stop", judge_own, "Stop"},
    {"recovered", judge_trouble, "Recovered"},
    {"removed", judge_own, "Removed"},
    {"missed", judge_loss, "Missed"},
    {"segment", NULL, NULL},
    {"state", NULL, NULL},
};

/* A stage of a later gate is shown rather than lost. */
static const struct stage other_stage = {"", judge_own, "Other"};

static const struct stage *stage_of(const json_t *record)
{
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
        if (is(record, "stage", stages[i].name))
            return &stages[i];
    return &other_stage;
}

static struct judgement judge(const json_t *record, const struct stage *stage)
{
    struct judgement judgement = {activity_of(record), informational, unknown, allowed, disposed_allowed};

    if (stage->activity != NULL)
        judgement.activity = (struct choice){99, stage->activity};
    if (is(record, "effect", "hard-delete"))
        judgement.severity = medium;
    stage->judge(record, &judgement);
    return judgement;
}

/* ---- writing ---- */

/* An event being made. Every value is taken over by the object it goes to; what cannot be made is noted. */
struct event {
    const json_t *record;
    const char *origin;
    json_t *root;
    bool failed;
};

static void put(struct event *event, json_t *object, const char *name, json_t *value)
{
    if (json_object_set_new(object, name, value) != 0)
        event->failed = true;
}

static void put_text(struct event *event, json_t *object, const char *name, const char *text)
{
    if (text != NULL)
        put(event, object, name, json_string(text));
}

static void put_choice(struct event *event, const char *id, const char *name, struct choice choice)
{
    put(event, event->root, id, json_integer(choice.id));
    put_text(event, event->root, name, choice.caption);
}

/* The record's text of that name, where it has one. */
static void put_member(struct event *event, json_t *object, const char *name, const char *member)
{
    json_t *value = json_object_get(event->record, member);

    if (json_is_string(value))
        put(event, object, name, json_incref(value));
}

/* The same of a whole number. */
static void put_number(struct event *event, json_t *object, const char *name, const char *member)
{
    json_t *value = json_object_get(event->record, member);

    if (json_is_integer(value))
        put(event, object, name, json_incref(value));
}

/* A number of microseconds as milliseconds. */
static void put_milliseconds(struct event *event, json_t *object, const char *name, const char *member)
{
    json_int_t number = member_number(event->record, member, -1);

    if (number >= 0)
        put(event, object, name, json_integer(number / 1000));
}

/* An object put in its place below `parent`; never NULL while memory lasts. */
static json_t *put_object(struct event *event, json_t *parent, const char *name)
{
    json_t *object = json_object();

    put(event, parent, name, object);
    return event->failed ? NULL : object;
}

static void add_classification(struct event *event, const struct judgement *judgement)
{
    int64_t time_us = 0;
    const char *time = member_text(event->record, "time");

    put(event, event->root, "category_uid", json_integer(CATEGORY));
    put_text(event, event->root, "category_name", "Application Activity");
    put(event, event->root, "class_uid", json_integer(CLASS));
    put_text(event, event->root, "class_name", "API Activity");
    put_choice(event, "activity_id", "activity_name", judgement->activity);
    put(event, event->root, "type_uid", json_integer(CLASS * 100 + judgement->activity.id));
    put(event, event->root, "type_name",
        json_sprintf("API Activity: %s",
                     judgement->activity.id == 99 ? "Other" : judgement->activity.caption));
    put_choice(event, "severity_id", "severity", judgement->severity);
    put_choice(event, "status_id", "status", judgement->status);
    put_choice(event, "action_id", "action", judgement->action);
    put_choice(event, "disposition_id", "disposition", judgement->disposition);
    if (time != NULL && when_read(span_of(time), 0, &time_us))
        put(event, event->root, "time", json_integer(time_us / 1000));
    else
        put(event, event->root, "time", json_integer(0));
    put_milliseconds(event, event->root, "duration", "duration_us");
    put_number(event, event->root, "count", "count");
    put_member(event, event->root, "status_detail", "detail");
    json_int_t status = member_number(event->record, "status", 0);
    if (status > 0)
        put(event, event->root, "status_code", json_sprintf("%lld", (long long)status));
}

static void add_message(struct event *event)
{
    const char *stage = member_text(event->record, "stage"),
               *operation = member_text(event->record, "operation"),
               *principal = member_text(event->record, "principal");

    put(event, event->root, "message",
        json_sprintf("%s%s%s%s%s", stage ? stage : "record", operation ? " of " : "",
                     operation ? operation : "", principal ? " by " : "", principal ? principal : ""));
}

static void add_metadata(struct event *event)
{
    json_t *metadata = put_object(event, event->root, "metadata");

    if (metadata == NULL)
        return;
    put_text(event, metadata, "version", "1.5.0");
    put(event, metadata, "profiles", json_pack("[s]", "security_control"));
    put(event, metadata, "product",
        json_pack("{s:s, s:s, s:s}", "name", "Portcullis", "vendor_name", "Portcullis", "version",
                  PORTCULLIS_VERSION));
    put(event, metadata, "uid",
        json_sprintf("%s/%lld", event->origin, (long long)member_number(event->record, "seq", 0)));
    put_text(event, metadata, "log_name", event->origin);
    put_number(event, metadata, "sequence", "seq");
    put_member(event, metadata, "original_time", "time");
    put_member(event, metadata, "event_code", "stage");
    put_member(event, metadata, "log_level", "level");
    put_member(event, metadata, "correlation_uid", "request_id");
}

/* Who did it: a principal of the policy, nobody known, or the gate itself (for a principal, or for nobody).
 */
static void add_actor(struct event *event, bool own)
{
    json_t *actor = put_object(event, event->root, "actor"), *user;
    const char *principal = member_text(event->record, "principal");

    if (actor == NULL)
        return;
    if (own)
        put_text(event, actor, "app_name", "portcullis");
    if (own && principal == NULL)
        return;
    user = put_object(event, actor, "user");
    if (user == NULL)
        return;
    put_text(event, user, "name", principal ? principal : "unknown");
    put(event, user, "type_id", json_integer(0));
    put_text(event, user, "type", "Unknown");
}

/* {"body": …}: the class wants an object. */
static void add_data(struct event *event, json_t *object, const char *member)
{
    json_t *value = json_object_get(event->record, member);

    if (value != NULL)
        put(event, object, "data", json_pack("{s:O}", "body", value));
}

static void add_api(struct event *event)
{
    const char *operation = member_text(event->record, "operation"),
               *request_id = member_text(event->record, "request_id"),
               *stage = member_text(event->record, "stage");
    json_t *api = put_object(event, event->root, "api"), *part;
    json_int_t code = member_number(event->record, "upstream_status", 0);

    if (api == NULL)
        return;
    if (operation != NULL)
        put_text(event, api, "operation", operation);
    else
        put(event, api, "operation", json_sprintf("portcullis.%s", stage ? stage : "record"));
    put_member(event, api, "version", "version");
    if (request_id != NULL && (part = put_object(event, api, "request")) != NULL) {
        put_text(event, part, "uid", request_id);
        add_data(event, part, "body");
    }
    if (code > 0 && (part = put_object(event, api, "response")) != NULL) {
        put(event, part, "code", json_integer(code));
        add_data(event, part, "answer");
        if (code >= 400)
            put_member(event, part, "error_message", "detail");
    }
}

static void add_endpoint(struct event *event, bool own)
{
    json_t *endpoint = put_object(event, event->root, "src_endpoint");

    if (endpoint == NULL)
        return;
    if (member_text(event->record, "client") != NULL)
        put_member(event, endpoint, "ip", "client");
    else
        put_text(event, endpoint, "name", own ? event->origin : "unknown");
}

static void add_http(struct event *event)
{
    const char *target = member_text(event->record, "target");
    json_int_t status = member_number(event->record, "status", 0);
    json_t *part;

    if (member_text(event->record, "method") != NULL &&
        (part = put_object(event, event->root, "http_request")) != NULL) {
        const char *query = target != NULL ? strchr(target, '?') : NULL;
        put_member(event, part, "http_method", "method");
        put_member(event, part, "uid", "request_id");
        json_t *url = target != NULL ? put_object(event, part, "url") : NULL;
        if (url != NULL) {
            put(event, url, "path",
                json_stringn(target, query != NULL ? (size_t)(query - target) : strlen(target)));
            put_text(event, url, "query_string", query != NULL ? query + 1 : NULL);
        }
    }
    if (status > 0 && (part = put_object(event, event->root, "http_response")) != NULL) {
        put(event, part, "code", json_integer(status));
        put_milliseconds(event, part, "latency", "duration_us");
    }
}

static void add_policy(struct event *event, const struct judgement *judgement)
{
    const char *rule = member_text(event->record, "rule");

    if (member_text(event->record, "policy") != NULL)
        put(event, event->root, "policy",
            json_pack("{s:s, s:O, s:b}", "name", "Portcullis policy", "uid",
                      json_object_get(event->record, "policy"), "is_applied", 1));
    if (rule != NULL)
        put(event, event->root, "authorizations",
            json_pack("[{s:s, s:{s:s}}]", "decision", judgement->action.caption, "policy", "name", rule));
}

static void add_resources(struct event *event)
{
    const char *organization = member_text(event->record, "organization"),
               *resource = member_text(event->record, "resource");

    if (resource != NULL)
        put(event, event->root, "resources",
            json_pack("[{s:s, s:s, s:s*}]", "uid", resource, "type", "resource", "namespace", organization));
    else if (organization != NULL)
        put(event, event->root, "resources",
            json_pack("[{s:s, s:s}]", "uid", organization, "type", "organization"));
}

static void add_observables(struct event *event)
{
    static const struct {
        const char *member, *name, *type;
        int type_id;
    } table[] = {
        {"client", "src_endpoint.ip", "IP Address", 2},
        {"principal", "actor.user.name", "User Name", 4},
        {"resource", "resources[].uid", "Resource UID", 10},
    };
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const char *value = member_text(event->record, table[i].member);
        if (value != NULL &&
            json_array_append_new(list,
                                  json_pack("{s:s, s:s, s:i, s:s}", "name", table[i].name, "type",
                                            table[i].type, "type_id", table[i].type_id, "value", value)) != 0)
            event->failed = true;
    }
    if (json_array_size(list) > 0)
        put(event, event->root, "observables", list);
    else
        json_decref(list);
}

/* Whatever no other member of the event says. */
static void add_unmapped(struct event *event)
{
    static const char *const texts[] = {"client", "detail",    "level",      "method",   "operation",
                                        "policy", "principal", "request_id", "resource", "rule",
                                        "stage",  "target",    "time",       "version"};
    static const char *const numbers[] = {"count", "seq", "status", "upstream_status"};
    json_t *rest = json_copy((json_t *)(uintptr_t)event->record); /* read only, but jansson does not say so */

    if (member_text(rest, "request_id") != NULL) /* then the event has a request, which holds it */
        (void)json_object_del(rest, "body");
    if (member_number(rest, "upstream_status", 0) > 0)
        (void)json_object_del(rest, "answer");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (json_is_string(json_object_get(rest, texts[i])))
            (void)json_object_del(rest, texts[i]);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (json_is_integer(json_object_get(rest, numbers[i])))
            (void)json_object_del(rest, numbers[i]);
    if (rest == NULL || json_object_size(rest) > 0)
        put(event, event->root, "unmapped", rest);
    else
        json_decref(rest);
}

enum export_result ocsf_write(const json_t *record, const char *origin, struct text *out)
{
    const struct stage *stage = stage_of(record);
    struct event event = {.record = record, .origin = origin};

    if (stage->judge == NULL)
        return EXPORT_PASSED;
    const struct judgement judgement = judge(record, stage);
    bool own = stage->activity != NULL || stage->judge == judge_reconciled;

    event.root = json_object();
    event.failed = event.root == NULL;
    add_classification(&event, &judgement);
    add_message(&event);
    add_metadata(&event);
    add_actor(&event, own);
    add_api(&event);
    add_endpoint(&event, own);
    add_http(&event);
    add_policy(&event, &judgement);
    add_resources(&event);
    add_observables(&event);
    add_unmapped(&event);
    if (event.failed) {
        json_decref(event.root);
        return EXPORT_FAILED;
    }
    return export_line(event.root, out);
}
