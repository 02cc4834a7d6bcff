/* Courses through scripted answers: a row for each turn that a case can take. ' stands for ". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/audit/reconcile_course.h"

#include <stdio.h>
#include <stdlib.h>

#define ORG   "11111111-2222-4333-8444-555555555555"
#define ID    "aaaaaaaa-0000-4000-8000-000000000001"
#define UPPER "AAAAAAAA-0000-4000-8000-000000000001"
#define OTHER "aaaaaaaa-0000-4000-8000-000000000002"
#define THIRD "aaaaaaaa-0000-4000-8000-000000000003"

#define BASE     "/rest/orgs/" ORG "/integrations"
#define ITEM     BASE "/" ID "?version=2024-10-15"
#define SETTINGS BASE "/" ID "/settings?version=2024-10-15"
#define LIST     BASE "?version=2024-10-15&limit=100"

#define DOCUMENT(data)           "{'data':" data "}"
#define RESOURCE(id, attributes) "{'id':'" id "','type':'x','attributes':{" attributes "}}"
#define NAMED(id, name, type, at)                                                                            \
    RESOURCE(id, "'profile_name':" name ",'integration_type':'" type "','created_at':'" at "'")
#define PLAIN(id) NAMED(id, "'any'", "ecr", "2020-01-01T00:00:00Z")

/* The intent is of 2026-01-31T12:00:00.5Z. */
#define AFTER    "2026-01-31T12:00:01Z"
#define TOGETHER "2026-01-31T12:00:00Z"
#define DOUBTFUL "2026-01-31T11:59:00Z"
#define BEFORE   "2026-01-31T11:00:00Z"

#define CREATE  "createIntegration"
#define DELETE  "deleteIntegration"
#define UPDATE  "updateIntegration"
#define CHANGE  "updateIntegrationSettings"
#define NEW     "{'integration_type':'ecr','profile_name':'mine','credentials':{'a':'hmac-sha256:1:2'}}"
#define RENAMED "{'profile_name':'new'}"
#define OFF     "{'container_app_scan_enabled':false}"

struct turn {
    const char *target; /* that must be asked for */
    int status;         /* 0: no answer */
    const char *body;
    enum reconcile_step step; /* that must follow */
};

#define TURNS 12

static const struct row {
    const char *name;
    const char *operation, *attributes;
    struct turn turns[TURNS];
    const char *result, *resource, *detail;
} rows[] = {
    /* delete */
    {"there, twice",
     DELETE,
     NULL,
     {{ITEM, 200, DOCUMENT(PLAIN(ID)), STEP_SETTLE}, {ITEM, 200, DOCUMENT(PLAIN(ID)), STEP_DONE}},
     "present",
     "",
     "it was not deleted"},
    {"there, in upper case",
     DELETE,
     NULL,
     {{ITEM, 200, DOCUMENT(PLAIN(UPPER)), STEP_SETTLE}, {ITEM, 200, DOCUMENT(PLAIN(ID)), STEP_DONE}},
     "present",
     "",
     ""},
    {"gone, twice",
     DELETE,
     NULL,
     {{ITEM, 404, "", STEP_ASK},
      {LIST, 200, DOCUMENT("[" PLAIN(OTHER) "]"), STEP_SETTLE},
      {ITEM, 404, "", STEP_ASK},
      {LIST, 200, DOCUMENT("[]"), STEP_DONE}},
     "absent",
     "",
     "the organization's list is without it"},
    {"arrives late",
     DELETE,
     NULL,
     {{ITEM, 200, DOCUMENT(PLAIN(ID)), STEP_SETTLE},
      {ITEM, 404, "", STEP_ASK},
      {LIST, 200, DOCUMENT("[]"), STEP_SETTLE},
      {ITEM, 404, "", STEP_ASK},
      {LIST, 200, DOCUMENT("[]"), STEP_DONE}},
     "absent",
     "",
     ""},
    {"gone through two pages",
     DELETE,
     NULL,
     {{ITEM, 404, "", STEP_ASK},
      {LIST, 200, "{'data':[" PLAIN(OTHER) "],'links':{'next':'/x?starting_after=v1.YQ%3D%3D&limit=100'}}",
       STEP_ASK},
      {LIST "&starting_after=v1.YQ%3D%3D", 200, DOCUMENT("[]"), STEP_SETTLE},
      {ITEM, 404, "", STEP_ASK},
      {LIST, 200, DOCUMENT("[]"), STEP_DONE}},
     "absent",
     "",
     ""},
    {"the list contradicts",
     DELETE,
     NULL,
     {{ITEM, 404, "", STEP_ASK},
      {LIST, 200, DOCUMENT("[" PLAIN(OTHER) "," PLAIN(UPPER) "]"), STEP_RETRY},
      {ITEM, 200, DOCUMENT(PLAIN(ID)), STEP_SETTLE},
      {ITEM, 200, DOCUMENT(PLAIN(ID)), STEP_DONE}},
     "present",
     "",
     ""},
    {"an organisation that cannot be seen",
     DELETE,
     NULL,
     {{ITEM, 404, "", STEP_ASK},
      {LIST, 404, "", STEP_RETRY},
      {ITEM, 404, "", STEP_ASK},
      {LIST, 404, "", STEP_RETRY},
      {ITEM, 404, "", STEP_ASK},
      {LIST, 404, "", STEP_RETRY},
      {ITEM, 404, "", STEP_ASK},
      {LIST, 404, "", STEP_DONE}},
     "unknown",
     "",
     "the API answered 404"},
    {"of the second page 500",
     DELETE,
     NULL,
     {{ITEM, 404, "", STEP_ASK},
      {LIST, 200, "{'data':[],'links':{'next':'?starting_after=v1.YQ'}}", STEP_ASK},
      {LIST "&starting_after=v1.YQ", 500, "", STEP_RETRY},
      {ITEM, 404, "", STEP_ASK},
      {LIST, 200, DOCUMENT("[]"), STEP_SETTLE},
      {ITEM, 404, "", STEP_ASK},
      {LIST, 200, DOCUMENT("[]"), STEP_DONE}},
     "absent",
     "",
     ""},
    {"the second reading never comes",
     DELETE,
     NULL,
     {{ITEM, 404, "", STEP_ASK},
      {LIST, 200, DOCUMENT("[]"), STEP_SETTLE},
      {ITEM, 0, NULL, STEP_RETRY},
      {ITEM, 0, NULL, STEP_RETRY},
      {ITEM, 0, NULL, STEP_RETRY},
      {ITEM, 0, NULL, STEP_DONE}},
     "unknown",
     "",
     "no answer; the last whole reading said absent"},
    {"failures count in a row",
     DELETE,
     NULL,
     {{ITEM, 500, "", STEP_RETRY},
      {ITEM, 503, "", STEP_RETRY},
      {ITEM, 0, NULL, STEP_RETRY},
      {ITEM, 200, DOCUMENT(PLAIN(ID)), STEP_SETTLE},
      {ITEM, 500, "", STEP_RETRY},
      {ITEM, 301, "", STEP_RETRY},
      {ITEM, 403, "", STEP_RETRY},
      {ITEM, 200, DOCUMENT(PLAIN(ID)), STEP_DONE}},
     "present",
     "",
     ""},
    {"never twice the same",
     DELETE,
     NULL,
     {{ITEM, 200, DOCUMENT(PLAIN(ID)), STEP_SETTLE},
      {ITEM, 404, "", STEP_ASK},
      {LIST, 200, DOCUMENT("[]"), STEP_SETTLE},
      {ITEM, 200, DOCUMENT(PLAIN(ID)), STEP_SETTLE},
      {ITEM, 404, "", STEP_ASK},
      {LIST, 200, DOCUMENT("[]"), STEP_SETTLE},
      {ITEM, 200, DOCUMENT(PLAIN(ID)), STEP_SETTLE},
      {ITEM, 404, "", STEP_ASK},
      {LIST, 200, DOCUMENT("[]"), STEP_DONE}},
     "unknown",
     "",
     "no two readings in a row agree"},
    {"another one is shown",
     DELETE,
     NULL,
     {{ITEM, 200, DOCUMENT(PLAIN(OTHER)), STEP_RETRY}},
     NULL,
     "",
     "the answer is about another resource"},
    {"410 is not 404", DELETE, NULL, {{ITEM, 410, "", STEP_RETRY}}, NULL, "", "the API answered 410"},
    {"204 is not 200", DELETE, NULL, {{ITEM, 204, "", STEP_RETRY}}, NULL, "", ""},

    /* create */
    {"made",
     CREATE,
     NEW,
     {{LIST, 200, DOCUMENT("[" PLAIN(ID) "," NAMED(OTHER, "'mine'", "ecr", AFTER) "]"), STEP_DONE}},
     "present",
     OTHER,
     "was made after the intent"},
    {"made, by a clock that shows seconds",
     CREATE,
     NEW,
     {{LIST, 200, DOCUMENT("[" NAMED(OTHER, "'mine'", "ecr", TOGETHER) "]"), STEP_DONE}},
     "present",
     OTHER,
     ""},
    {"made, shown on two pages",
     CREATE,
     NEW,
     {{LIST, 200,
       "{'data':[" NAMED(OTHER, "'mine'", "ecr",
                         AFTER) "],'links':{'next':{'href':'?starting_after=v1.YQ'}}}",
       STEP_ASK},
      {LIST "&starting_after=v1.YQ", 200, DOCUMENT("[" NAMED(OTHER, "'mine'", "ecr", AFTER) "]"), STEP_DONE}},
     "present",
     OTHER,
     ""},
    {"not made",
     CREATE,
     NEW,
     {{LIST, 200, DOCUMENT("[" PLAIN(ID) "]"), STEP_SETTLE}, {LIST, 200, DOCUMENT("[]"), STEP_DONE}},
     "absent",
     "",
     "no integration of this name and type"},
    {"made late",
     CREATE,
     NEW,
     {{LIST, 200, DOCUMENT("[]"), STEP_SETTLE},
      {LIST, 200, DOCUMENT("[" NAMED(ID, "'mine'", "ecr", AFTER) "]"), STEP_DONE}},
     "present",
     ID,
     ""},
    {"an old one has the name",
     CREATE,
     NEW,
     {{LIST, 200, DOCUMENT("[" NAMED(ID, "'mine'", "ecr", BEFORE) "]"), STEP_SETTLE},
      {LIST, 200, DOCUMENT("[" NAMED(ID, "'mine'", "ecr", BEFORE) "]"), STEP_DONE}},
     "absent",
     "",
     ""},
    {"one of another type, and one without a name",
     CREATE,
     NEW,
     {{LIST, 200, DOCUMENT("[" NAMED(ID, "'mine'", "acr", AFTER) "," NAMED(OTHER, "null", "ecr", AFTER) "]"),
       STEP_SETTLE},
      {LIST, 200, DOCUMENT("[]"), STEP_DONE}},
     "absent",
     "",
     ""},
    {"two",
     CREATE,
     NEW,
     {{LIST, 200,
       DOCUMENT("[" NAMED(ID, "'mine'", "ecr", AFTER) "," NAMED(OTHER, "'mine'", "ecr", AFTER) "]"),
       STEP_DONE}},
     "unknown",
     "",
     "cannot be told"},
    {"one perhaps made before",
     CREATE,
     NEW,
     {{LIST, 200, DOCUMENT("[" NAMED(ID, "'mine'", "ecr", DOUBTFUL) "]"), STEP_DONE}},
     "unknown",
     "",
     "cannot be told"},
    {"one made who knows when",
     CREATE,
     NEW,
     {{LIST, 200, DOCUMENT("[" RESOURCE(ID, "'profile_name':'mine','integration_type':'ecr'") "]"),
       STEP_DONE}},
     "unknown",
     "",
     "cannot be told"},
    {"one made yesterday, as the answer says",
     CREATE,
     NEW,
     {{LIST, 200, DOCUMENT("[" NAMED(ID, "'mine'", "ecr", "yesterday") "]"), STEP_DONE}},
     "unknown",
     "",
     "cannot be told"},

    /* update */
    {"renamed",
     UPDATE,
     RENAMED,
     {{ITEM, 200, DOCUMENT(RESOURCE(ID, "'profile_name':'new'")), STEP_DONE}},
     "applied",
     "",
     ""},
    {"not renamed",
     UPDATE,
     RENAMED,
     {{ITEM, 200, DOCUMENT(RESOURCE(ID, "'profile_name':'old'")), STEP_SETTLE},
      {ITEM, 200, DOCUMENT(RESOURCE(ID, "'profile_name':null")), STEP_DONE}},
     "not-applied",
     "",
     ""},
    {"renamed late",
     UPDATE,
     RENAMED,
     {{ITEM, 200, DOCUMENT(RESOURCE(ID, "'profile_name':'old'")), STEP_SETTLE},
      {ITEM, 200, DOCUMENT(RESOURCE(ID, "'profile_name':'new'")), STEP_DONE}},
     "applied",
     "",
     ""},
    {"no name shown",
     UPDATE,
     RENAMED,
     {{ITEM, 200, DOCUMENT(RESOURCE(ID, "'name':'new'")), STEP_RETRY}},
     NULL,
     "",
     "does not show"},
    {"gone meanwhile", UPDATE, RENAMED, {{ITEM, 404, "", STEP_RETRY}}, NULL, "", "the API answered 404"},
    {"renamed, with credentials",
     UPDATE,
     "{'profile_name':'new','credentials':{'password':'hmac-sha256:1:2'}}",
     {{ITEM, 200, DOCUMENT(RESOURCE(ID, "'profile_name':'new'")), STEP_DONE}},
     "unknown",
     "",
     "the integration is as was asked for; the credentials are never shown"},
    {"not renamed, with credentials",
     UPDATE,
     "{'profile_name':'new','credentials':{}}",
     {{ITEM, 200, DOCUMENT(RESOURCE(ID, "'profile_name':'old'")), STEP_SETTLE},
      {ITEM, 200, DOCUMENT(RESOURCE(ID, "'profile_name':'old'")), STEP_DONE}},
     "unknown",
     "",
     "the integration is not as was asked for; the credentials are never shown"},
    {"credentials alone", UPDATE, "{'credentials':{}}", {{0}}, "unknown", "", "cannot be seen"},
    {"a name that was masked",
     UPDATE,
     "{'profile_name':'hmac-sha256:1:2'}",
     {{0}},
     "unknown",
     "",
     "cannot be seen"},
    {"nothing at all", UPDATE, "{}", {{0}}, "unknown", "", "no change that can be seen"},
    {"no body", UPDATE, NULL, {{0}}, "unknown", "", "no change that can be seen"},

    /* settings */
    {"switched off",
     CHANGE,
     OFF,
     {{SETTINGS, 200, DOCUMENT(RESOURCE(ID, "'container_app_scan_enabled':false,'x':1")), STEP_DONE}},
     "applied",
     "",
     ""},
    {"not switched off",
     CHANGE,
     OFF,
     {{SETTINGS, 200, DOCUMENT(RESOURCE(ID, "'container_app_scan_enabled':true")), STEP_SETTLE},
      {SETTINGS, 200, DOCUMENT(RESOURCE(ID, "'container_app_scan_enabled':'false'")), STEP_DONE}},
     "not-applied",
     "",
     ""},
    {"no setting shown",
     CHANGE,
     OFF,
     {{SETTINGS, 200, DOCUMENT(RESOURCE(ID, "")), STEP_RETRY}},
     NULL,
     "",
     ""},

    /* what cannot be looked into */
    {"another operation", "deleteEverything", NULL, {{0}}, "unknown", "", "no rule"},
    {"a create without a name", CREATE, "{'integration_type':'ecr'}", {{0}}, "unknown", "", "name and type"},
    {"a create of a masked type",
     CREATE,
     "{'integration_type':'hmac-sha256:','profile_name':'mine'}",
     {{0}},
     "unknown",
     "",
     "name and type"},
};

/* ' into "; free it. */
static char *quoted(const char *text)
{
    char *copy = strdup(text);

    assert_non_null(copy);
    for (char *c = copy; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    return copy;
}

static struct reconcile_case *make_case(const char *operation, const char *attributes)
{
    struct text text = {0};
    const struct record_fields intent = {
        .time_us = INT64_C(1769860800500000),
        .operation = span_of(operation),
        .organization = span_of(ORG),
        .principal = span_of("bot"),
        .request_id = span_of("r"),
        .resource = span_of(strcmp(operation, CREATE) == 0 ? NULL : ID),
        .version = span_of("2024-10-15"),
    };
    json_t *body = NULL;

    if (attributes != NULL) {
        char *plain = quoted(attributes);
        text_add_format(&text, "{\"data\":{\"attributes\":%s}}", plain);
        body = json_loadb(text.data, text.length, 0, NULL);
        assert_non_null(body);
        text_free(&text);
        free(plain);
    }
    struct reconcile_case *subject = reconcile_case_make(&intent, body);
    assert_non_null(subject);
    json_decref(body);
    return subject;
}

static enum reconcile_step answer(struct reconcile_course *course, int status, const char *body)
{
    if (status == 0)
        return reconcile_course_failed(course, "no answer");
    char *plain = quoted(body);
    enum reconcile_step step = reconcile_course_answer(course, status, span_of(plain));
    free(plain);
    return step;
}

static bool run_row(const struct row *row)
{
    struct reconcile_case *subject = make_case(row->operation, row->attributes);
    struct reconcile_course *course = calloc(1, sizeof *course);
    enum reconcile_step step = reconcile_course_begin(course, subject), expected = STEP_ASK;
    bool right = true;
    size_t at = 0;

    if (row->turns[0].target == NULL)
        expected = STEP_DONE;
    right = step == expected;
    for (; right && at < TURNS && row->turns[at].target != NULL; at++) {
        const struct turn *turn = &row->turns[at];
        struct text target = {0};

        reconcile_course_target(course, "/rest", &target);
        if (step == STEP_DONE || strcmp(target.data, turn->target) != 0) {
            print_error("%s: turn %zu asks for %s\n", row->name, at, target.data);
            right = false;
        }
        text_free(&target);
        step = answer(course, turn->status, turn->body);
        right = right && step == turn->step;
        assert_int_equal(course->status, turn->status != 0 ? turn->status : course->status);
    }
    if (row->result != NULL)
        right = right && step == STEP_DONE &&
                strcmp(reconcile_finding_name(course->result), row->result) == 0 &&
                (strcmp(row->result, "present") != 0 || strcmp(course->match, row->resource) == 0);
    right = right && strstr(course->detail, row->detail) != NULL;
    if (!right)
        print_error("%s: turn %zu: step %d, %s (%s), \"%s\"\n", row->name, at, (int)step,
                    reconcile_finding_name(course->result), course->match, course->detail);
    free(course);
    reconcile_case_free(subject);
    return right;
}

static void takes_every_turn(void **state)
{
    unsigned failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        failed += !run_row(&rows[i]);
    assert_int_equal(failed, 0);
}

/* None of these is a finding for anybody. */
static const char *const hostile[] = {
    "",
    " ",
    "null",
    "1",
    "'text'",
    "[]",
    "{}",
    "{'data':null}",
    "{'data':{}}",
    "{'data':'" ID "'}",
    "{'data':[[]]}",
    "{'data':[null]}",
    "{'data':[{'id':'" ID "'}]}",
    "{'data':{'id':'" ID "'}}",
    "{'data':{'id':'" ID "','attributes':null}}",
    "{'data':{'id':'" ID "','attributes':[]}}",
    "{'data':{'id':1,'attributes':{}}}",
    "{'data':{'id':'','attributes':{}}}",
    "{'data':{'id':'" ID "0','attributes':{}}}",
    "{'data':{'id':'../../" ID "','attributes':{}}}",
    "{'data':" PLAIN(ID) "} x",
    "{'data':" PLAIN(ID) ",'data':" PLAIN(ID) "}",
    "{'data':" PLAIN(OTHER) "}",
    "{'data':[" PLAIN(OTHER) ",{'id':'x','attributes':{}}]}",
    "{'data':[],'data':[]}",
    "{'data':[],'links':[]}",
    "{'data':[],'links':'x'}",
    "{'data':[],'links':{'next':1}}",
    "{'data':[],'links':{'next':[]}}",
    "{'data':[],'links':{'next':{'href':1}}}",
    "{'data':[],'links':{'next':'http://elsewhere/'}}",
    "{'data':[],'links':{'next':'?starting_after='}}",
    "{'data':[],'links':{'next':'?starting_after=v1.'}}",
    "{'data':[],'links':{'next':'?starting_after=v2.YQ'}}",
    "{'data':[],'links':{'next':'?starting_after=v1.Y Q'}}",
    "{'data':[],'links':{'next':'?starting_after=v1.YQ%0d%0aX: y'}}",
    "{'data':[],'links':{'next':'?starting_after=v1.YQ%00'}}",
    "{'data':[],'links':{'next':'?starting_after=v1.YQ%'}}",
    "{'data':[],'links':{'next':'?starting_after=v1.YQ%4'}}",
    "{'data':[],'links':{'next':'?starting_after=v1.YQ==='}}",
    "\xef\xbb\xbf{'data':[]}",
    "{'data':[" NAMED(ID, "1", "ecr", AFTER) "]}",
    "{'data':[" RESOURCE(ID, "'profile_name':'mine'") "]}",
    "{'data':[" RESOURCE(ID, "'profile_name':'mine','integration_type':null") "]}",
};

/* A course at its list: of a delete, behind the 404; else from the beginning. */
static void go_to_list(struct reconcile_course *course, const struct reconcile_case *subject)
{
    assert_int_equal(reconcile_course_begin(course, subject), STEP_ASK);
    if (span_is(subject->operation, DELETE))
        assert_int_equal(reconcile_course_answer(course, 404, span_of("")), STEP_ASK);
}

static void believes_no_hostile_answer(void **state)
{
    static const struct {
        const char *operation, *attributes;
    } subjects[] = {{DELETE, NULL}, {CREATE, NEW}, {UPDATE, RENAMED}, {CHANGE, OFF}};
    struct reconcile_course *course = calloc(1, sizeof *course);

    (void)state;
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
        struct reconcile_case *subject = make_case(subjects[i].operation, subjects[i].attributes);
        for (size_t j = 0; j < sizeof hostile / sizeof *hostile; j++) {
            bool names = strstr(hostile[j], "'profile_name'") != NULL; /* matters to a create only */
            (void)reconcile_course_begin(course, subject);
            if (strcmp(subjects[i].operation, CREATE) != 0)
                if (answer(course, 200, hostile[j]) != STEP_RETRY)
                    fail_msg("%s, first: %s", subjects[i].operation, hostile[j]);
            if (i > 1 || (names && i != 1 && strstr(hostile[j], ID) == NULL))
                continue;
            go_to_list(course, subject);
            if (answer(course, 200, hostile[j]) != STEP_RETRY)
                fail_msg("%s, list: %s", subjects[i].operation, hostile[j]);
        }
        reconcile_case_free(subject);
    }
    free(course);
}

/* A good answer cut short anywhere says nothing. */
static void believes_no_part_of_an_answer(void **state)
{
    static const char *const good[] = {
        DOCUMENT("[" NAMED(OTHER, "'mine'", "ecr", AFTER) "]"),
        "{'data':[" PLAIN(OTHER) "],'links':{'next':'?starting_after=v1.YQ'}}",
    };
    struct reconcile_case *subject = make_case(CREATE, NEW);
    struct reconcile_course *course = calloc(1, sizeof *course);

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char *plain = quoted(good[i]);
        for (size_t length = 0; length < strlen(plain); length++) {
            char *part = malloc(length + 1); /* of its own size, for AddressSanitizer */
            memcpy(part, plain, length);
            go_to_list(course, subject);
            assert_int_equal(reconcile_course_answer(course, 200, (struct span){part, length}), STEP_RETRY);
            free(part);
        }
        free(plain);
    }
    free(course);
    reconcile_case_free(subject);
}

/* Whatever one byte is changed to: a list with the id in it never says that this one is gone. */
static void survives_changed_bytes(void **state)
{
    struct reconcile_case *subject = make_case(DELETE, NULL);
    struct reconcile_course *course = calloc(1, sizeof *course);
    char *plain =
        quoted("{'data':[" PLAIN(OTHER) "," PLAIN(ID) "],'links':{'next':'?starting_after=v1.YQ'}}");
    size_t length = strlen(plain);

    (void)state;
    for (size_t i = 0; i < length; i++)
        for (unsigned byte = 0; byte < 256; byte++) {
            char before = plain[i];
            plain[i] = (char)byte;
            go_to_list(course, subject);
            enum reconcile_step step = reconcile_course_answer(course, 200, (struct span){plain, length});
            if (memmem(plain, length, ID, strlen(ID)) != NULL)
                assert_int_equal(step, STEP_RETRY);
            plain[i] = before;
        }
    free(plain);
    free(course);
    reconcile_case_free(subject);
}

static void reads_no_endless_list(void **state)
{
    struct reconcile_case *subject = make_case(CREATE, NEW);
    struct reconcile_course *course = calloc(1, sizeof *course);
    enum reconcile_step step = STEP_ASK;
    unsigned pages = 0;
    char page[128];

    (void)state;
    go_to_list(course, subject);
    for (; step == STEP_ASK; pages++) {
        (void)snprintf(page, sizeof page, "{\"data\":[],\"links\":{\"next\":\"?starting_after=v1.%u\"}}",
                       pages);
        step = reconcile_course_answer(course, 200, span_of(page));
    }
    assert_int_equal(step, STEP_RETRY);
    assert_int_equal(pages, RECONCILE_PAGES);
    assert_string_equal(course->detail, "the organization's list has no end");

    go_to_list(course, subject);
    assert_int_equal(reconcile_course_answer(course, 200, span_of(page)), STEP_ASK);
    assert_int_equal(reconcile_course_answer(course, 200, span_of(page)), STEP_RETRY);
    free(course);
    reconcile_case_free(subject);
}

/* A pause that the API asks for counts as nothing. */
static void begins_anew_after_a_pause(void **state)
{
    struct reconcile_case *subject = make_case(DELETE, NULL);
    struct reconcile_course *course = calloc(1, sizeof *course);
    struct text target = {0};

    (void)state;
    go_to_list(course, subject);
    for (int i = 0; i < 20; i++)
        reconcile_course_restart(course, "the API answered 429");
    reconcile_course_target(course, "/rest", &target);
    assert_string_equal(target.data, ITEM);
    assert_int_equal(course->failures, 0);
    reconcile_course_give_up(course, "enough");
    assert_string_equal(course->detail, "enough");
    assert_int_equal(course->result, FINDING_UNKNOWN);
    text_free(&target);
    free(course);
    reconcile_case_free(subject);
}

/* What stands in the journal may have been written by anybody: nothing of it gets into a target that is not
 * plainly what it should be. */
static void asks_for_nothing_odd(void **state)
{
    static const struct {
        const char *organization, *resource, *version;
    } odd[] = {
        {"", ID, "2024-10-15"},          {"../" ORG, ID, "2024-10-15"},      {ORG "/x", ID, "2024-10-15"},
        {ORG, "", "2024-10-15"},         {ORG, ID "?x=", "2024-10-15"},      {ORG, ID, ""},
        {ORG, ID, "2024-10-15&limit=1"}, {ORG, ID, "2024 HTTP/1.1\r\nX: y"}, {ORG, ID, NULL},
        {NULL, ID, "2024-10-15"},        {ORG, NULL, "2024-10-15"},
    };
    struct reconcile_course *course = calloc(1, sizeof *course);

    (void)state;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        const struct record_fields intent = {.operation = span_of(DELETE),
                                             .organization = span_of(odd[i].organization),
                                             .resource = span_of(odd[i].resource),
                                             .version = span_of(odd[i].version)};
        struct reconcile_case *subject = reconcile_case_make(&intent, NULL);
        assert_int_equal(reconcile_course_begin(course, subject), STEP_DONE);
        assert_int_equal(course->result, FINDING_UNKNOWN);
        assert_string_equal(course->detail, "the intent does not say what to look for");
        reconcile_case_free(subject);
    }
    free(course);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_every_turn),
        cmocka_unit_test(believes_no_hostile_answer),
        cmocka_unit_test(believes_no_part_of_an_answer),
        cmocka_unit_test(survives_changed_bytes),
        cmocka_unit_test(reads_no_endless_list),
        cmocka_unit_test(begins_anew_after_a_pause),
        cmocka_unit_test(asks_for_nothing_odd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
