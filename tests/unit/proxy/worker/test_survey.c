/* What a survey says in records, and what it says of a delete. */
#include "proxy/worker/survey.h"
#include "tests/unit/policies/fixture.h"

static void assert_text(struct text *text, const char *wanted)
{
    assert_false(text->failed);
    assert_string_equal(text->data, wanted);
    text_free(text);
}

static struct survey *about(const char *attributes)
{
    struct survey *survey = survey_new();

    assert_non_null(survey);
    survey->integration =
        json_pack("{s:s, s:o}", "type", "integration", "attributes", fixture_value(attributes));
    survey->facts.attributes = json_object_get(survey->integration, "attributes");
    survey->facts.had = FACT_INTEGRATION;
    return survey;
}

static void names_what_is_in_the_way(void **state)
{
    static const struct {
        const char *attributes;
        enum delete_obstacle answer;
    } rows[] = {
        {"{'integration_type':'ecr','has_broker':false}", DELETE_POSSIBLE},
        {"{'integration_type':'ecr'}", DELETE_POSSIBLE},
        {"{'integration_type':'ecr','has_broker':null}", DELETE_POSSIBLE},
        {"{'integration_type':'ecr','has_broker':true}", DELETE_BROKERED},
        {"{'integration_type':'github','has_broker':false}", DELETE_NO_REGISTRY},
        {"{'integration_type':'github','has_broker':true}", DELETE_NO_REGISTRY},
        {"{'integration_type':'unheard-of'}", DELETE_NO_REGISTRY},
        {"{}", DELETE_UNDESCRIBED},
        {"{'integration_type':null}", DELETE_UNDESCRIBED},
        {"{'integration_type':['ecr']}", DELETE_UNDESCRIBED},
        {"{'integration_type':''}", DELETE_UNDESCRIBED},
        {"{'integration_type':'ecr','has_broker':0}", DELETE_UNDESCRIBED},
        {"{'integration_type':'ecr','has_broker':'false'}", DELETE_UNDESCRIBED},
    };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct survey *survey = about(rows[i].attributes);
        if (survey_obstacle(survey) != rows[i].answer)
            fail_msg("%s", rows[i].attributes);
        survey_release(survey);
    }
}

static void mask(void *key, struct span secret, struct text *out)
{
    (void)key;
    text_add_format(out, "masked %zu", secret.length);
}

static void writes_what_was_before(void **state)
{
    struct survey *survey = about("{'profile_name':'x','password':'abc'}");
    struct text out = {0};
    (void)state;

    survey_write_before(survey, mask, NULL, &out);
    assert_text(&out, "{\"integration\":{\"attributes\":{\"password\":\"masked 3\",\"profile_name\":\"x\"},"
                      "\"type\":\"integration\"}}");
    survey->settings = json_pack("{s:s}", "b", "c");
    json_object_set_new(survey->settings, "a", json_null());
    survey_write_before(survey, mask, NULL, &out);
    assert_text(&out, "{\"integration\":{\"attributes\":{\"password\":\"masked 3\",\"profile_name\":\"x\"},"
                      "\"type\":\"integration\"},\"settings\":{\"a\":null,\"b\":\"c\"}}");
    survey_release(survey);
}

static void writes_the_radius(void **state)
{
    struct survey *survey = survey_new();
    struct text out = {0};
    (void)state;

    survey->facts.targets = survey->facts.projects = (struct fact_number){FACT_NUMBER_KNOWN, 0};
    survey_write_radius(survey, &out);
    assert_text(&out, "{\"known\":true,\"listed\":[],\"projects\":0,\"targets\":0}");

    survey->targets = calloc(2, sizeof *survey->targets);
    survey->target_count = 2;
    strcpy(survey->targets[0].id, "one");
    strcpy(survey->targets[1].id, "two");
    survey->targets[0].projects = (struct fact_number){FACT_NUMBER_KNOWN, 3};
    survey->facts.targets.value = 7;
    survey->facts.projects.state = FACT_NUMBER_UNKNOWN;
    survey->unknown.why = "so";
    survey_write_radius(survey, &out);
    assert_text(&out, "{\"detail\":\"so\",\"known\":false,\"listed\":[{\"id\":\"one\",\"projects\":3},"
                      "{\"id\":\"two\"}],\"targets\":7}");
    survey->facts.targets.state = FACT_NUMBER_UNKNOWN;
    survey->target_count = 0;
    survey_write_radius(survey, &out);
    assert_text(&out, "{\"detail\":\"so\",\"known\":false,\"listed\":[]}");
    survey_release(survey);
}

static void writes_what_changed(void **state)
{
    static const struct {
        const char *before, *after, *changed;
    } rows[] = {
        {"{}", "{}", "[]"},
        {"{'a':1}", "{'a':1}", "[]"},
        {"{'a':{'b':1}}", "{'a':{'b':1}}", "[]"},
        {"{'a':1}", "{'a':1.0}", "[\"/attributes/a\"]"},
        {"{'a':null}", "{}", "[\"/attributes/a\"]"},
        {"{}", "{'a':null}", "[\"/attributes/a\"]"},
        {"{'c':1,'a':1,'b':1}", "{'b':1,'d':1,'a':2}",
         "[\"/attributes/a\",\"/attributes/c\",\"/attributes/d\"]"},
        {"{'a/b~':1}", "{}", "[\"/attributes/a~1b~0\"]"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *before = fixture_value(rows[i].before), *after = fixture_value(rows[i].after);
        struct text out = {0};
        survey_write_changed(before, after, &out);
        assert_text(&out, rows[i].changed);
        json_decref(before);
        json_decref(after);
    }
}

static void lives_as_long_as_it_is_held(void **state)
{
    struct survey *survey = about("{'integration_type':'ecr'}");
    (void)state;

    assert_ptr_equal(survey_hold(survey), survey);
    survey_release(survey);
    assert_string_equal(survey_type(survey), "ecr");
    survey_release(survey);
    survey_release(NULL);
    assert_null(survey_hold(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_what_is_in_the_way),    cmocka_unit_test(writes_what_was_before),
        cmocka_unit_test(writes_the_radius),           cmocka_unit_test(writes_what_changed),
        cmocka_unit_test(lives_as_long_as_it_is_held),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
