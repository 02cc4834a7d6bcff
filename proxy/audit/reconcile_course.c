#include "proxy/audit/reconcile_course.h"

#include "policies/ascii.h"
#include "policies/target.h"
#include "policies/uuid.h"

#include <stdio.h>

#define PAGE_LIMIT "100"

/* The API's clock may be off, and shows seconds only. What it made up to CLOCK_SLACK before the intent counts
 * as made after it; up to CLOCK_DOUBT before, nobody can tell. */
#define CLOCK_SLACK_US INT64_C(2000000)
#define CLOCK_DOUBT_US INT64_C(300000000)

enum place { AT_ITEM, AT_SETTINGS, AT_LIST };

#define SURE(finding) (1u << (finding))

/* Reads a 200 at a place; FINDING_NONE with *fault, or with course->at and cursor set to what is to be asked
 * next. */
typedef enum reconcile_finding reader(struct reconcile_course *course, json_t *document, const char **fault);

/* One entry of the organisation's list. false with *fault. */
typedef bool examiner(struct reconcile_course *course, const char *id, json_t *attributes,
                      const char **fault);

static reader read_there, read_wish;
static examiner examine_id, examine_name;
static enum reconcile_finding end_gone(const struct reconcile_course *course);
static enum reconcile_finding end_named(const struct reconcile_course *course);

struct reconcile_rule {
    const char *operation;
    enum place first;
    bool needs_wish;   /* without an attribute to look for there is nothing to find out */
    bool list_if_gone; /* 404 says nothing yet: an organisation that cannot be seen is 404, too */
    unsigned sure;     /* findings that nothing can change any more: one reading is enough */
    reader *read;      /* a 200 at `first`; NULL for a list */
    examiner *examine; /* each entry of the list */
    enum reconcile_finding (*end)(const struct reconcile_course *course); /* behind its last page */
    const char *says[FINDINGS];
};

static const struct reconcile_rule rules[] = {
    {
        .operation = "createIntegration",
        .first = AT_LIST,
        .needs_wish = true,
        .sure = SURE(FINDING_PRESENT),
        .examine = examine_name,
        .end = end_named,
        .says = {[FINDING_PRESENT] = "one integration has this name and type and was made after the intent",
                 [FINDING_ABSENT] = "no integration of this name and type was made after the intent",
                 [FINDING_UNKNOWN] = "which integration was made for this intent cannot be told"},
    },
    {
        .operation = "deleteIntegration",
        .first = AT_ITEM,
        .list_if_gone = true,
        .read = read_there,
        .examine = examine_id,
        .end = end_gone,
        .says = {[FINDING_PRESENT] = "the integration is there: it was not deleted",
                 [FINDING_ABSENT] = "the integration is gone, and the organization's list is without it"},
    },
    {
        .operation = "updateIntegration",
        .first = AT_ITEM,
        .needs_wish = true,
        .sure = SURE(FINDING_APPLIED),
        .read = read_wish,
        .says = {[FINDING_APPLIED] = "the integration is as was asked for",
                 [FINDING_NOT_APPLIED] = "the integration is not as was asked for"},
    },
    {
        .operation = "updateIntegrationSettings",
        .first = AT_SETTINGS,
        .needs_wish = true,
        .sure = SURE(FINDING_APPLIED),
        .read = read_wish,
        .says = {[FINDING_APPLIED] = "the settings are as was asked for",
                 [FINDING_NOT_APPLIED] = "the settings are not as was asked for"},
    },
};

static const struct reconcile_rule *rule_for(struct span operation)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (span_is(operation, rules[i].operation))
            return &rules[i];
    return NULL;
}

const char *reconcile_finding_name(enum reconcile_finding finding)
{
    static const char *const names[FINDINGS] = {
        [FINDING_NONE] = "unknown",    [FINDING_PRESENT] = "present",         [FINDING_ABSENT] = "absent",
        [FINDING_APPLIED] = "applied", [FINDING_NOT_APPLIED] = "not-applied", [FINDING_UNKNOWN] = "unknown",
    };

    return names[finding];
}

/* ---- what the answers say ---- */

static bool is_resource(const struct reconcile_course *course, const char *id)
{
    return span_equal_nocase(course->subject->resource, span_of(id));
}

/* The attributes of the resource that was asked for; NULL with *fault. */
static json_t *attributes_of(const struct reconcile_course *course, json_t *document, const char **fault)
{
    char id[READING_ID];
    json_t *attributes;

    if (!reading_resource(json_object_get(document, "data"), id, &attributes, fault))
        return NULL;
    if (is_resource(course, id))
        return attributes;
    *fault = "the answer is about another resource";
    return NULL;
}

static enum reconcile_finding read_there(struct reconcile_course *course, json_t *document,
                                         const char **fault)
{
    return attributes_of(course, document, fault) != NULL ? FINDING_PRESENT : FINDING_NONE;
}

static enum reconcile_finding read_wish(struct reconcile_course *course, json_t *document, const char **fault)
{
    json_t *attributes = attributes_of(course, document, fault), *value;
    bool applied = true;
    const char *name;

    if (attributes == NULL)
        return FINDING_NONE;
    json_object_foreach (course->subject->wish, name, value) {
        json_t *shown = json_object_get(attributes, name);
        if (shown == NULL) {
            *fault = "the answer does not show what was to be changed";
            return FINDING_NONE;
        }
        applied = applied && json_equal(shown, value) != 0;
    }
    return applied ? FINDING_APPLIED : FINDING_NOT_APPLIED;
}

static bool examine_id(struct reconcile_course *course, const char *id, json_t *attributes,
                       const char **fault)
{
    (void)attributes;
    if (!is_resource(course, id))
        return true;
    *fault = "the organization's list shows an integration that is answered 404";
    return false;
}

static enum reconcile_finding end_gone(const struct reconcile_course *course)
{
    (void)course;
    return FINDING_ABSENT;
}

static bool has_wished(const struct reconcile_course *course, json_t *attributes, const char *name)
{
    json_t *wished = json_object_get(course->subject->wish, name);

    return json_is_string(wished) && json_equal(wished, json_object_get(attributes, name)) != 0;
}

static bool examine_name(struct reconcile_course *course, const char *id, json_t *attributes,
                         const char **fault)
{
    json_t *made = json_object_get(attributes, "created_at");
    json_t *name = json_object_get(attributes, "profile_name");
    int64_t made_us = 0, intent_us = course->subject->intent_us;

    if (!json_is_string(json_object_get(attributes, "integration_type")) ||
        (name != NULL && !json_is_null(name) && !json_is_string(name))) {
        *fault = "the organization's list holds an integration without a type, or with a name that is none";
        return false;
    }
    if (!has_wished(course, attributes, "profile_name") ||
        !has_wished(course, attributes, "integration_type"))
        return true;
    bool known = intent_us > 0 &&
                 reading_time((struct span){json_string_value(made), json_string_length(made)}, &made_us);
    if (known && made_us < intent_us - CLOCK_DOUBT_US)
        return true;
    if (!known || made_us < intent_us - CLOCK_SLACK_US) {
        course->doubts++;
        return true;
    }
    if (course->matches == 0 || strcmp(course->match, id) != 0) /* pages may overlap */
        course->matches++;
    memcpy(course->match, id, READING_ID);
    return true;
}

static enum reconcile_finding end_named(const struct reconcile_course *course)
{
    if (course->doubts > 0 || course->matches > 1)
        return FINDING_UNKNOWN;
    return course->matches == 1 ? FINDING_PRESENT : FINDING_ABSENT;
}

static enum reconcile_finding read_page(struct reconcile_course *course, json_t *document, const char **fault)
{
    json_t *data = json_object_get(document, "data"), *entry, *attributes;
    char id[READING_ID], cursor[READING_CURSOR];
    size_t index;

    if (!json_is_array(data)) {
        *fault = "the answer holds no list";
        return FINDING_NONE;
    }
    json_array_foreach (data, index, entry) {
        if (!reading_resource(entry, id, &attributes, fault) ||
            !course->rule->examine(course, id, attributes, fault))
            return FINDING_NONE;
    }
    if (!reading_next(document, cursor, fault))
        return FINDING_NONE;
    if (cursor[0] == '\0')
        return course->rule->end(course);
    if (++course->pages >= RECONCILE_PAGES || strcmp(cursor, course->cursor) == 0)
        *fault = "the organization's list has no end";
    memcpy(course->cursor, cursor, READING_CURSOR);
    return FINDING_NONE;
}

/* ---- the course ---- */

static void begin_reading(struct reconcile_course *course)
{
    course->at = course->rule->first;
    course->cursor[0] = course->match[0] = '\0';
    course->pages = course->matches = course->doubts = 0;
}

static void say(struct reconcile_course *course, const char *text)
{
    (void)snprintf(course->detail, sizeof course->detail, "%s", text);
}

static enum reconcile_step done(struct reconcile_course *course, enum reconcile_finding finding)
{
    const char *says = course->rule->says[finding];

    course->result = finding;
    say(course, says);
    if (course->subject->hidden && course->rule->read == read_wish) {
        course->result = FINDING_UNKNOWN;
        (void)snprintf(course->detail, sizeof course->detail,
                       "%s; the credentials are never shown, so what became of them is not known", says);
    }
    return STEP_DONE;
}

/* A reading is whole: is it to be believed? */
static enum reconcile_step conclude(struct reconcile_course *course, enum reconcile_finding finding)
{
    bool sure = (course->rule->sure & SURE(finding)) != 0 || finding == FINDING_UNKNOWN;
    bool agrees = course->before == finding && strcmp(course->match_before, course->match) == 0;

    course->failures = 0;
    if (sure || agrees)
        return done(course, finding);
    course->before = finding;
    memcpy(course->match_before, course->match, READING_ID);
    if (++course->readings >= RECONCILE_READINGS) {
        reconcile_course_give_up(course, "no two readings in a row agree");
        return STEP_DONE;
    }
    say(course, course->rule->says[finding]);
    begin_reading(course);
    return STEP_SETTLE;
}

static bool is_word(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (!ascii_is_unreserved(text.data[i]))
            return false;
    return text.length > 0;
}

/* Why looking can find out nothing; NULL when it can. */
static const char *fault_of(const struct reconcile_course *course)
{
    const struct reconcile_case *subject = course->subject;
    const struct reconcile_rule *rule = course->rule;

    if (rule == NULL)
        return "there is no rule to settle this operation by";
    if (!is_uuid(subject->organization) || !is_word(subject->version) ||
        (rule->first != AT_LIST && !is_uuid(subject->resource)))
        return "the intent does not say what to look for";
    if (rule->first == AT_LIST && (!json_is_string(json_object_get(subject->wish, "profile_name")) ||
                                   !json_is_string(json_object_get(subject->wish, "integration_type"))))
        return "the intent does not say the name and type to look for";
    if (rule->needs_wish && json_object_size(subject->wish) == 0)
        return subject->hidden ? "whether credentials were changed cannot be seen"
                               : "the intent asked for no change that can be seen";
    return NULL;
}

enum reconcile_step reconcile_course_begin(struct reconcile_course *course,
                                           const struct reconcile_case *subject)
{
    *course = (struct reconcile_course){.subject = subject, .rule = rule_for(subject->operation)};
    const char *fault = fault_of(course);

    if (fault != NULL) {
        course->result = FINDING_UNKNOWN;
        say(course, fault);
        return STEP_DONE;
    }
    begin_reading(course);
    return STEP_ASK;
}

/* A cursor's bytes outside the unreserved set are percent-encoded. */
static void add_cursor(struct text *target, const char *cursor)
{
    text_add_string(target, "&starting_after=");
    for (; *cursor != '\0'; cursor++) {
        if (ascii_is_unreserved(*cursor))
            text_add(target, cursor, 1);
        else
            text_add_format(target, "%%%02X", (unsigned)(unsigned char)*cursor);
    }
}

void reconcile_course_target(const struct reconcile_course *course, const char *base, struct text *target)
{
    const struct reconcile_case *subject = course->subject;

    text_add_format(target, "%s/orgs/%.*s/integrations", base, (int)subject->organization.length,
                    subject->organization.data);
    if (course->at != AT_LIST)
        text_add_format(target, "/%.*s%s", (int)subject->resource.length, subject->resource.data,
                        course->at == AT_SETTINGS ? "/settings" : "");
    text_add_format(target, "?version=%.*s", (int)subject->version.length, subject->version.data);
    if (course->at == AT_LIST)
        text_add_string(target, "&limit=" PAGE_LIMIT);
    if (course->cursor[0] != '\0')
        add_cursor(target, course->cursor);
}

static enum reconcile_step read_good(struct reconcile_course *course, struct span body)
{
    const char *fault = NULL;
    json_t *document = reading_document(body, &fault);
    enum reconcile_finding finding = FINDING_NONE;

    if (document != NULL)
        finding = course->at == AT_LIST ? read_page(course, document, &fault)
                                        : course->rule->read(course, document, &fault);
    json_decref(document);
    if (fault != NULL)
        return reconcile_course_failed(course, fault);
    return finding != FINDING_NONE ? conclude(course, finding) : STEP_ASK;
}

enum reconcile_step reconcile_course_answer(struct reconcile_course *course, int status, struct span body)
{
    char why[64];

    course->status = status;
    if (status == 200)
        return read_good(course, body);
    if (status == 404 && course->at == AT_ITEM && course->rule->list_if_gone) {
        course->at = AT_LIST;
        return STEP_ASK;
    }
    (void)snprintf(why, sizeof why, "the API answered %d", status);
    return reconcile_course_failed(course, why);
}

void reconcile_course_restart(struct reconcile_course *course, const char *why)
{
    say(course, why);
    begin_reading(course);
}

enum reconcile_step reconcile_course_failed(struct reconcile_course *course, const char *why)
{
    if (course->failures++ >= RECONCILE_FAILURES) {
        reconcile_course_give_up(course, why);
        return STEP_DONE;
    }
    reconcile_course_restart(course, why);
    return STEP_RETRY;
}

void reconcile_course_give_up(struct reconcile_course *course, const char *why)
{
    course->result = FINDING_UNKNOWN;
    if (course->before != FINDING_NONE)
        (void)snprintf(course->detail, sizeof course->detail, "%s; the last whole reading said %s", why,
                       reconcile_finding_name(course->before));
    else
        say(course, why);
}
