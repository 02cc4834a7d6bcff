#include "proxy/worker/inquiry.h"

#include "policies/ascii.h"
#include "policies/uuid.h"
#include "proxy/base/clock.h"
#include "proxy/upstream/collect.h"

#include <stdlib.h>

#define RESOURCE_BYTES 65536        /* of one integration, or of its settings: they go into the journal */
#define RADIUS_VERSION "2024-10-15" /* that the API has targets and projects in */

enum step { AT_INTEGRATION, AT_SETTINGS, AT_TARGETS, AT_PROJECTS, AT_END };

struct inquiry {
    struct upstream *upstream;
    struct inquiry_subject subject;
    inquiry_done *done;
    void *arg;
    struct collect_call *call;
    struct survey *survey;
    enum step step;
    char cursor[READING_CURSOR];
    size_t target; /* whose projects are counted */
};

static void on_answer(void *arg, const struct collect_answer *answer);

/* ---- what to ask ---- */

static bool wants(const struct inquiry *inquiry, enum fact fact)
{
    return (inquiry->subject.wanted & fact) != 0;
}

static void add_path(const struct inquiry *inquiry, const char *collection, struct text *target)
{
    struct span organization = inquiry->subject.organization;

    text_add_string(target, inquiry->subject.base);
    text_add_string(target, "/orgs/");
    text_add(target, organization.data, organization.length);
    text_add_string(target, collection);
}

static void add_escaped(struct text *target, struct span value)
{
    for (size_t i = 0; i < value.length; i++) {
        if (ascii_is_unreserved(value.data[i]))
            text_add(target, value.data + i, 1);
        else
            text_add_format(target, "%%%02X", (unsigned)(unsigned char)value.data[i]);
    }
}

static void write_target(const struct inquiry *inquiry, struct text *target)
{
    const struct inquiry_subject *subject = &inquiry->subject;

    switch (inquiry->step) {
    case AT_INTEGRATION:
    case AT_SETTINGS:
        add_path(inquiry, "/integrations/", target);
        text_add(target, subject->integration.data, subject->integration.length);
        text_add_string(target, inquiry->step == AT_SETTINGS ? "/settings?version=" : "?version=");
        add_escaped(target, subject->version);
        break;
    case AT_TARGETS:
        add_path(inquiry,
                 "/targets?version=" RADIUS_VERSION "&limit=100&exclude_empty=false&source_types=", target);
        add_escaped(target, span_of(survey_type(inquiry->survey)));
        if (inquiry->cursor[0] != '\0') {
            text_add_string(target, "&starting_after=");
            add_escaped(target, span_of(inquiry->cursor));
        }
        break;
    case AT_PROJECTS:
        add_path(inquiry,
                 "/projects?version=" RADIUS_VERSION "&limit=100&meta_count=only&target_id=", target);
        text_add_string(target, inquiry->survey->targets[inquiry->target].id);
        break;
    case AT_END:
        break;
    }
}

/* ---- what is not to be had ---- */

/* The kind of fact that the step is about. */
static enum fact fact_of(enum step step)
{
    return step == AT_INTEGRATION ? FACT_INTEGRATION : step == AT_SETTINGS ? FACT_SETTINGS : FACT_RADIUS;
}

static void note(struct inquiry *inquiry, struct survey_failure failure)
{
    struct survey *survey = inquiry->survey;
    struct survey_failure *place =
        fact_of(inquiry->step) == FACT_RADIUS ? &survey->unknown : &survey->failure;

    if (place->why == NULL)
        *place = failure;
}

static struct survey_failure useless(const char *why)
{
    return (struct survey_failure){.why = why, .kind = UPSTREAM_INVALID, .wait_s = -1};
}

/* What the step is about is not known, and nothing that comes behind it. */
static void fail(struct inquiry *inquiry, struct survey_failure failure)
{
    struct facts *facts = &inquiry->survey->facts;

    note(inquiry, failure);
    if (inquiry->step == AT_PROJECTS) {
        facts->had |= FACT_RADIUS; /* the targets are known */
        facts->projects.state = FACT_NUMBER_UNKNOWN;
    } else if (inquiry->step == AT_TARGETS) {
        facts->failed |= FACT_RADIUS;
        facts->targets.state = facts->projects.state = FACT_NUMBER_UNKNOWN;
    } else {
        facts->failed |= inquiry->subject.wanted & ~facts->had;
    }
    inquiry->step = AT_END;
}

static const char *status_says(int status)
{
    switch (status) {
    case 401:
        return "the API does not know the credential (401)";
    case 403:
        return "the API does not let this credential read it (403)";
    case 404:
        return "the API does not show it to this credential (404)";
    case 429:
        return "the API asks this credential to wait (429)";
    default:
        return status >= 500 ? "the API has an error of its own (5xx)"
                             : "the API answered what it should not";
    }
}

/* ---- what the answers say ---- */

/* The resource in an answer; NULL with *fault. The caller owns it. */
static json_t *take_resource(const struct inquiry *inquiry, struct span body, const char **fault)
{
    json_t *document = reading_document(body, fault), *resource = json_object_get(document, "data");
    json_t *attributes;
    char id[READING_ID];

    if (document == NULL)
        return NULL;
    if (!reading_resource(resource, id, &attributes, fault))
        resource = NULL;
    else if (!span_equal_nocase(inquiry->subject.integration, span_of(id))) {
        *fault = "the answer is about another integration";
        resource = NULL;
    }
    json_incref(resource);
    json_decref(document);
    return resource;
}

static void read_integration(struct inquiry *inquiry, const struct collect_answer *answer, const char **fault)
{
    struct survey *survey = inquiry->survey;

    survey->integration = take_resource(inquiry, answer->body, fault);
    survey->facts.attributes = json_object_get(survey->integration, "attributes");
    if (survey->integration == NULL)
        return;
    survey->facts.had |= FACT_INTEGRATION;
    if (inquiry->subject.deleting && survey_obstacle(survey) != DELETE_POSSIBLE) {
        inquiry->step = AT_END;
        return;
    }
    inquiry->step = wants(inquiry, FACT_SETTINGS) ? AT_SETTINGS
                    : wants(inquiry, FACT_RADIUS) ? AT_TARGETS
                                                  : AT_END;
}

static void read_settings(struct inquiry *inquiry, const struct collect_answer *answer, const char **fault)
{
    struct survey *survey = inquiry->survey;

    if (answer->status == 200) {
        survey->settings = take_resource(inquiry, answer->body, fault);
        survey->facts.settings = json_object_get(survey->settings, "attributes");
        if (survey->settings == NULL)
            return;
    }
    survey->facts.had |= FACT_SETTINGS;
    inquiry->step = wants(inquiry, FACT_RADIUS) ? AT_TARGETS : AT_END;
}

enum hanging { HANGS_HERE, HANGS_ELSEWHERE, HANGS_UNSAID };

/* On which integration does a target hang? The API may leave out what it is related to; a null is said. */
static enum hanging look_at_target(const struct inquiry *inquiry, json_t *target)
{
    json_t *relation = json_object_get(json_object_get(target, "relationships"), "integration");
    json_t *data = json_object_get(relation, "data"), *id = json_object_get(data, "id");

    if (json_is_null(data) || json_is_null(id)) /* an orphan already */
        return HANGS_ELSEWHERE;
    if (!json_is_string(id))
        return HANGS_UNSAID;
    return span_equal_nocase((struct span){json_string_value(id), json_string_length(id)},
                             inquiry->subject.integration)
               ? HANGS_HERE
               : HANGS_ELSEWHERE;
}

static bool is_listed(const struct survey *survey, const char *id)
{
    for (size_t i = 0; i < survey->target_count; i++)
        if (strcmp(survey->targets[i].id, id) == 0)
            return true;
    return false;
}

/* Pages may overlap: none is counted twice, as long as it is listed. */
static void count_target(struct survey *survey, const char *id)
{
    if (is_listed(survey, id))
        return;
    survey->facts.targets.value++;
    if (survey->target_count < SURVEY_TARGETS)
        memcpy(survey->targets[survey->target_count++].id, id, READING_ID);
}

static bool read_target(struct inquiry *inquiry, json_t *target, const char **fault)
{
    json_t *name = json_object_get(target, "id");
    struct span id = {json_string_value(name), json_string_length(name)};
    char lower[READING_ID] = {0};

    if (!is_uuid(id)) {
        *fault = "the list holds a target without an id";
        return false;
    }
    for (size_t i = 0; i < READING_ID - 1; i++)
        lower[i] = ascii_lower(id.data[i]);
    switch (look_at_target(inquiry, target)) {
    case HANGS_HERE:
        count_target(inquiry->survey, lower);
        return true;
    case HANGS_ELSEWHERE:
        return true;
    case HANGS_UNSAID:
    default:
        *fault = "a target does not say on which integration it hangs";
        return false;
    }
}

static void end_targets(struct inquiry *inquiry)
{
    struct survey *survey = inquiry->survey;

    survey->facts.had |= FACT_RADIUS;
    survey->facts.targets.state = survey->facts.projects.state = FACT_NUMBER_KNOWN;
    inquiry->step = survey->target_count > 0 ? AT_PROJECTS : AT_END;
    if (survey->facts.targets.value > survey->target_count) {
        inquiry->step = AT_PROJECTS;
        fail(inquiry, useless("there are more targets than are looked at one by one"));
    }
}

static void read_targets(struct inquiry *inquiry, const struct collect_answer *answer, const char **fault)
{
    json_t *document = reading_document(answer->body, fault), *data = json_object_get(document, "data");
    char before[READING_CURSOR];
    json_t *target;
    size_t index;

    memcpy(before, inquiry->cursor, sizeof before);
    if (document != NULL && !json_is_array(data))
        *fault = "the answer holds no list";
    json_array_foreach (data, index, target) {
        if (*fault == NULL)
            (void)read_target(inquiry, target, fault);
    }
    if (*fault == NULL && reading_next(document, inquiry->cursor, fault)) {
        if (inquiry->cursor[0] == '\0')
            end_targets(inquiry);
        else if (strcmp(inquiry->cursor, before) == 0)
            *fault = "the list of targets has no end";
    }
    json_decref(document);
}

static void read_projects(struct inquiry *inquiry, const struct collect_answer *answer, const char **fault)
{
    struct survey *survey = inquiry->survey;
    struct survey_target *target = &survey->targets[inquiry->target];
    json_t *document = reading_document(answer->body, fault);
    json_t *count = json_object_get(json_object_get(document, "meta"), "count");
    json_int_t number = json_integer_value(count);

    if (document != NULL && (!json_is_integer(count) || number < 0 || number > INT32_MAX)) {
        *fault = "the answer does not say how many projects there are";
    } else if (document != NULL) {
        target->projects = (struct fact_number){FACT_NUMBER_KNOWN, (uint64_t)number};
        survey->facts.projects.value += (uint64_t)number;
        if (++inquiry->target == survey->target_count)
            inquiry->step = AT_END;
    }
    json_decref(document);
}

/* ---- the course ---- */

static void end(struct inquiry *inquiry)
{
    struct survey *survey = inquiry->survey;

    inquiry->survey = NULL;
    inquiry->done(inquiry->arg, survey);
    free(inquiry);
}

static bool ask(struct inquiry *inquiry)
{
    const struct inquiry_subject *subject = &inquiry->subject;
    struct text target = {0};

    write_target(inquiry, &target);
    const struct collect_request request = {
        .credential = subject->credential,
        .target = {target.data, target.length},
        .fields = subject->fields,
        .field_count = subject->field_count,
        .bound = inquiry->step < AT_TARGETS ? RESOURCE_BYTES : subject->page_bytes,
        .due_us = subject->due_us,
        .owner = subject->owner,
    };
    if (!target.failed)
        inquiry->call = collect_start(inquiry->upstream, &request, on_answer, inquiry);
    inquiry->survey->reads += inquiry->call != NULL;
    text_free(&target);
    return inquiry->call != NULL;
}

/* Asks what comes next, unless a bound is met. */
static void go_on(struct inquiry *inquiry)
{
    if (inquiry->step != AT_END && inquiry->survey->reads >= inquiry->subject.requests)
        fail(inquiry, useless("it would take more requests than the gate may make (facts.requests)"));
    else if (inquiry->step != AT_END && clock_monotonic_us() >= inquiry->subject.due_us)
        fail(inquiry, (struct survey_failure){.why = "it took longer than it may (facts.timeout_ms)",
                                              .kind = UPSTREAM_TIMEOUT,
                                              .wait_s = -1});
    if (inquiry->step != AT_END && !ask(inquiry))
        fail(inquiry, useless("memory is out"));
    if (inquiry->step == AT_END)
        end(inquiry);
}

static void read_answer(struct inquiry *inquiry, const struct collect_answer *answer)
{
    const char *fault = NULL;

    switch (inquiry->step) {
    case AT_INTEGRATION:
        read_integration(inquiry, answer, &fault);
        break;
    case AT_SETTINGS:
        read_settings(inquiry, answer, &fault);
        break;
    case AT_TARGETS:
        read_targets(inquiry, answer, &fault);
        break;
    case AT_PROJECTS:
        read_projects(inquiry, answer, &fault);
        break;
    case AT_END:
        break;
    }
    if (fault != NULL)
        fail(inquiry, useless(fault));
}

static void on_answer(void *arg, const struct collect_answer *answer)
{
    struct inquiry *inquiry = arg;
    struct survey_failure failure = {.status = answer->status, .kind = answer->kind, .wait_s = -1};

    inquiry->call = NULL;
    if (answer->failure != NULL) {
        failure.why = answer->failure;
    } else if (answer->status == 404 && inquiry->step == AT_INTEGRATION) {
        inquiry->survey->absent = true;
        failure.why = status_says(404);
    } else if (answer->status != 200 && !(answer->status == 404 && inquiry->step == AT_SETTINGS)) {
        failure.why = status_says(answer->status);
        if (answer->status == 429)
            failure.wait_s = reading_retry_after(answer->retry_after, clock_now_us() / 1000000);
    }
    if (failure.why != NULL)
        fail(inquiry, failure);
    else
        read_answer(inquiry, answer);
    go_on(inquiry);
}

struct inquiry *inquiry_start(struct upstream *upstream, const struct inquiry_subject *subject,
                              inquiry_done *done, void *arg)
{
    struct inquiry *inquiry = calloc(1, sizeof *inquiry);

    if (inquiry == NULL)
        return NULL;
    *inquiry = (struct inquiry){
        .upstream = upstream, .subject = *subject, .done = done, .arg = arg, .survey = survey_new()};
    if (inquiry->survey != NULL && wants(inquiry, FACT_RADIUS))
        inquiry->survey->targets = calloc(SURVEY_TARGETS, sizeof(struct survey_target));
    if (inquiry->survey == NULL || (wants(inquiry, FACT_RADIUS) && inquiry->survey->targets == NULL) ||
        !ask(inquiry)) {
        inquiry_cancel(inquiry);
        return NULL;
    }
    return inquiry;
}

void inquiry_cancel(struct inquiry *inquiry)
{
    if (inquiry == NULL)
        return;
    collect_cancel(inquiry->call);
    survey_release(inquiry->survey);
    free(inquiry);
}
