#include "tests/sandbox/api.h"

#include "tests/sandbox/call.h"

#define RELEASE "2024-10-15" /* the one release of every operation; its stage is beta */

/* What is asked before a handler is called. */
enum surface {
    SURFACE_REST,    /* a token, a version, an organisation */
    SURFACE_V1,      /* a token, an organisation */
    SURFACE_CONTROL, /* nothing */
};

struct route {
    const char *method;
    enum surface surface;
    const char *segments[CALL_SEGMENTS]; /* ":org" and ":id" stand for a UUID, ":n" for anything */
    void (*handler)(struct call *call);
};

static const struct route routes[] = {
    {"GET", SURFACE_REST, {"rest", "orgs", ":org", "integrations"}, integrations_list},
    {"POST", SURFACE_REST, {"rest", "orgs", ":org", "integrations"}, integrations_create},
    {"GET", SURFACE_REST, {"rest", "orgs", ":org", "integrations", ":id"}, integrations_get},
    {"PATCH", SURFACE_REST, {"rest", "orgs", ":org", "integrations", ":id"}, integrations_update},
    {"DELETE", SURFACE_REST, {"rest", "orgs", ":org", "integrations", ":id"}, integrations_delete},
    {"GET", SURFACE_REST, {"rest", "orgs", ":org", "integrations", ":id", "settings"}, settings_get},
    {"PATCH", SURFACE_REST, {"rest", "orgs", ":org", "integrations", ":id", "settings"}, settings_update},
    {"GET", SURFACE_REST, {"rest", "orgs", ":org", "targets"}, targets_list},
    {"GET", SURFACE_REST, {"rest", "orgs", ":org", "targets", ":id"}, targets_get},
    {"DELETE", SURFACE_REST, {"rest", "orgs", ":org", "targets", ":id"}, targets_delete},
    {"GET", SURFACE_REST, {"rest", "orgs", ":org", "projects"}, projects_list},
    {"GET", SURFACE_REST, {"rest", "orgs", ":org", "projects", ":id"}, projects_get},
    {"DELETE", SURFACE_REST, {"rest", "orgs", ":org", "projects", ":id"}, projects_delete},
    {"PUT", SURFACE_V1, {"v1", "org", ":org", "integrations", ":id"}, integrations_switch_broker},
    {"POST", SURFACE_CONTROL, {"_sandbox", "faults"}, control_add_fault},
    {"GET", SURFACE_CONTROL, {"_sandbox", "faults"}, control_list_faults},
    {"DELETE", SURFACE_CONTROL, {"_sandbox", "faults"}, control_clear_faults},
    {"DELETE", SURFACE_CONTROL, {"_sandbox", "faults", ":n"}, control_clear_faults},
    {"GET", SURFACE_CONTROL, {"_sandbox", "state"}, control_state},
    {"POST", SURFACE_CONTROL, {"_sandbox", "reset"}, control_reset},
};

#define ROUTES (sizeof routes / sizeof *routes)

static bool path_matches(const struct call *call, const struct route *route)
{
    size_t at = 0;

    for (; at < CALL_SEGMENTS && route->segments[at] != NULL; at++) {
        if (at == call->segment_count)
            return false;
        if (route->segments[at][0] != ':' && !span_is(call->segments[at], route->segments[at]))
            return false;
    }
    return at == call->segment_count;
}

static bool method_matches(struct span method, const char *wanted)
{
    return span_is(method, wanted) || (span_is(method, "HEAD") && strcmp(wanted, "GET") == 0);
}

/* The route of the call. NULL when there is none; the answer then says 404, or 405 with Allow. */
static const struct route *find_route(struct call *call)
{
    struct text allow = {0};
    const struct route *found = NULL;

    for (size_t i = 0; i < ROUTES && found == NULL; i++) {
        if (!path_matches(call, &routes[i]))
            continue;
        if (method_matches(call->request->method, routes[i].method))
            found = &routes[i];
        text_add_string(&allow, allow.length > 0 ? ", " : "");
        text_add_string(&allow, routes[i].method);
    }
    if (found == NULL && allow.length > 0) {
        answer_field(call->answer, "allow", (struct span){allow.data, allow.length});
        answer_error(call->answer, 405, "The path has no operation of that method.");
    } else if (found == NULL) {
        answer_error(call->answer, 404, "There is no such path.");
    }
    text_free(&allow);
    return found;
}

static bool has_token(const struct http_request *request)
{
    struct span value = http_field(request, "authorization");
    const char *space = value.length ? memchr(value.data, ' ', value.length) : NULL;
    struct span scheme = {value.data, space ? (size_t)(space - value.data) : 0};

    return scheme.length > 0 &&
           (span_equal_nocase(scheme, span_of("token")) || span_equal_nocase(scheme, span_of("bearer")));
}

static bool two_digits(struct span bytes, size_t at, int low, int high)
{
    char a = bytes.data[at], b = bytes.data[at + 1];
    int number = (a - '0') * 10 + (b - '0');

    return a >= '0' && a <= '9' && b >= '0' && b <= '9' && number >= low && number <= high;
}

static bool is_stability(struct span word)
{
    return span_is(word, "wip") || span_is(word, "work-in-progress") || span_is(word, "experimental") ||
           span_is(word, "beta");
}

/* The documented form of a version, with months that exist. */
static bool is_version(struct span version)
{
    if (is_stability(version))
        return true;
    if (version.length < 10 || version.data[4] != '-' || version.data[7] != '-')
        return false;
    if (!two_digits(version, 0, 0, 99) || !two_digits(version, 2, 0, 99) || !two_digits(version, 5, 1, 12) ||
        !two_digits(version, 8, 1, 31))
        return false;
    return version.length == 10 ||
           (version.data[10] == '~' && is_stability((struct span){version.data + 11, version.length - 11}));
}

/* Every operation has one release, and it is served to bare dates from its own on: a stability in the version
 * finds nothing. */
static bool check_version(struct call *call)
{
    struct span version = call_parameter(call, "version");

    if (version.data == NULL || !is_version(version)) {
        call_refuse_parameter(call, "version", "The version must be a date such as 2024-10-15.");
        return false;
    }
    answer_field(call->answer, "snyk-version-requested", version);
    if (version.length != 10 || memcmp(version.data, RELEASE, 10) < 0) {
        answer_problem(call->answer, 404, "parameter", span_of("version"), "There is no matching version.");
        return false;
    }
    answer_field(call->answer, "snyk-version-served", span_of(RELEASE));
    answer_field(call->answer, "snyk-version-lifecycle-stage", span_of("beta"));
    return true;
}

/* Reads the UUIDs of the path and finds the organisation. */
static bool find_organization(struct call *call, const struct route *route)
{
    char *org = arena_take(&call->arena, UUID_LENGTH + 1);

    for (size_t i = 0; org != NULL && i < call->segment_count; i++) {
        if (route->segments[i][0] != ':')
            continue;
        char *uuid = strcmp(route->segments[i], ":org") == 0 ? org : call->id;
        if (!uuid_read(call->segments[i], uuid)) {
            answer_error(call->answer, 400, "An id in the path is no UUID.");
            return false;
        }
        call->segments[i] = span_of(uuid);
    }
    call->organization = org ? store_organization(&call->api->store, org) : NULL;
    if (call->organization == NULL)
        answer_error(call->answer, 404, "There is no such organization, or the token cannot see it.");
    return call->organization != NULL;
}

static void handle(struct call *call)
{
    const struct route *route = find_route(call);

    if (route == NULL)
        return;
    if (route->surface != SURFACE_CONTROL) {
        if (!has_token(call->request)) {
            answer_field(call->answer, "www-authenticate", span_of("Token"));
            answer_error(call->answer, 401, "The request needs an Authorization field with a token.");
            return;
        }
        if (route->surface == SURFACE_REST && !check_version(call))
            return;
        if (!find_organization(call, route))
            return;
    }
    route->handler(call);
}

bool api_is_control(const struct http_request *request)
{
    static const char prefix[] = "/_sandbox/";

    return request->target.length >= sizeof prefix - 1 &&
           memcmp(request->target.data, prefix, sizeof prefix - 1) == 0;
}

/* An answer with nothing but its request id. */
static void begin_answer(struct api *api, struct answer *answer)
{
    char id[UUID_LENGTH + 1];

    answer_clear(answer);
    answer->ids = &api->ids;
    uuid_make(&api->ids, id);
    answer_field(answer, "snyk-request-id", (struct span){id, UUID_LENGTH});
}

void api_answer_status(struct api *api, int status, const char *detail, struct answer *answer)
{
    begin_answer(api, answer);
    answer->status = status;
    if (status >= 400)
        answer_error(answer, status, detail);
    answer_end(answer);
}

void api_answer(struct api *api, const struct http_request *request, const char *link_base,
                struct answer *answer)
{
    struct call call;

    call.api = api;
    call.request = request;
    call.answer = answer;
    call.link_base = link_base;
    call.segment_count = call.parameter_count = 0;
    call.organization = NULL;
    call.id[0] = '\0';

    begin_answer(api, answer);
    if (call_read(&call))
        handle(&call);
    call_free(&call);
    answer_end(answer);
}

bool api_open(struct api *api, const struct text *fixtures, struct fixtures_fault *fault)
{
    uuid_source_init(&api->ids);
    if (!shapes_open(&api->shapes)) {
        memcpy(fault->message, "a pattern does not compile", sizeof "a pattern does not compile");
        return false;
    }
    if (fixtures != NULL) {
        text_add(&api->fixtures, fixtures->data ? fixtures->data : "", fixtures->length);
        return fixtures_read(&api->store, (struct span){api->fixtures.data, api->fixtures.length}, fault);
    }
    memcpy(fault->message, "memory is out", sizeof "memory is out");
    return fixtures_built_in(&api->store);
}

bool api_reset(struct api *api)
{
    struct span text = {api->fixtures.data, api->fixtures.length};
    struct fixtures_fault fault;

    store_clear(&api->store);
    return api->fixtures.data != NULL ? fixtures_read(&api->store, text, &fault)
                                      : fixtures_built_in(&api->store);
}

void api_close(struct api *api)
{
    store_clear(&api->store);
    text_free(&api->fixtures);
    faults_clear(&api->faults);
    shapes_close(&api->shapes);
}
