#include "proxy/worker/survey.h"

#include "policies/container_registry.h"
#include "policies/document.h"

#include <stdlib.h>

struct survey *survey_new(void)
{
    struct survey *survey = calloc(1, sizeof *survey);

    if (survey != NULL)
        atomic_init(&survey->references, 1);
    return survey;
}

struct survey *survey_hold(struct survey *survey)
{
    if (survey != NULL)
        (void)atomic_fetch_add_explicit(&survey->references, 1, memory_order_relaxed);
    return survey;
}

void survey_release(struct survey *survey)
{
    if (survey == NULL || atomic_fetch_sub_explicit(&survey->references, 1, memory_order_acq_rel) > 1)
        return;
    json_decref(survey->integration);
    json_decref(survey->settings);
    free(survey->targets);
    free(survey);
}

const char *survey_type(const struct survey *survey)
{
    const char *type = json_string_value(json_object_get(survey->facts.attributes, "integration_type"));

    return type != NULL ? type : "";
}

enum delete_obstacle survey_obstacle(const struct survey *survey)
{
    json_t *broker = json_object_get(survey->facts.attributes, "has_broker");
    const char *type = survey_type(survey);

    if (type[0] == '\0' || (broker != NULL && !json_is_boolean(broker) && !json_is_null(broker)))
        return DELETE_UNDESCRIBED;
    if (!is_container_registry(span_of(type)))
        return DELETE_NO_REGISTRY;
    return json_is_true(broker) ? DELETE_BROKERED : DELETE_POSSIBLE;
}

void survey_write_before(const struct survey *survey, schema_mask *mask, void *key, struct text *out)
{
    text_add_string(out, "{\"integration\":");
    if (survey->integration != NULL)
        schema_write_masked(NULL, survey->integration, mask, key, out);
    else
        text_add_string(out, "null");
    if (survey->settings != NULL) {
        text_add_string(out, ",\"settings\":");
        schema_write_masked(NULL, survey->settings, mask, key, out);
    }
    text_add_string(out, "}");
}

static void add_number(struct text *out, const char *name, const struct fact_number *number)
{
    if (number->state != FACT_NUMBER_KNOWN)
        return;
    text_add_string(out, name);
    text_add_number(out, number->value);
}

static void write_targets(const struct survey *survey, struct text *out)
{
    text_add_string(out, ",\"listed\":[");
    for (size_t i = 0; i < survey->target_count; i++) {
        text_add_string(out, i > 0 ? ",{\"id\":" : "{\"id\":");
        text_add_json(out, span_of(survey->targets[i].id));
        add_number(out, ",\"projects\":", &survey->targets[i].projects);
        text_add_string(out, "}");
    }
    text_add_string(out, "]");
}

void survey_write_radius(const struct survey *survey, struct text *out)
{
    const struct facts *facts = &survey->facts;
    bool known = facts->targets.state == FACT_NUMBER_KNOWN && facts->projects.state == FACT_NUMBER_KNOWN;

    text_add_string(out, "{");
    if (survey->unknown.why != NULL) {
        text_add_string(out, "\"detail\":");
        text_add_json(out, span_of(survey->unknown.why));
        text_add_string(out, ",");
    }
    text_add_string(out, known ? "\"known\":true" : "\"known\":false");
    write_targets(survey, out);
    add_number(out, ",\"projects\":", &facts->projects);
    add_number(out, ",\"targets\":", &facts->targets);
    text_add_string(out, "}");
}

/* ---- what a change changed ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void write_pointers(const char **names, size_t count, struct text *out)
{
    struct text pointer = {0};

    qsort(names, count, sizeof *names, compare_names);
    text_add_string(out, "[");
    for (size_t i = 0; i < count; i++) {
        text_clear(&pointer);
        text_add_string(&pointer, "/attributes");
        pointer_add(&pointer, names[i]);
        text_add_string(out, i > 0 ? "," : "");
        text_add_json(out, (struct span){pointer.data, pointer.length});
    }
    text_add_string(out, "]");
    out->failed = out->failed || pointer.failed;
    text_free(&pointer);
}

void survey_write_changed(json_t *before, json_t *after, struct text *out)
{
    const char **names = calloc(json_object_size(before) + json_object_size(after) + 1, sizeof *names);
    const char *name;
    json_t *value;
    size_t count = 0;

    if (names == NULL) {
        out->failed = true;
        return;
    }
    json_object_foreach (before, name, value) {
        json_t *now = json_object_get(after, name);
        if (now == NULL || json_equal(value, now) == 0)
            names[count++] = name;
    }
    json_object_foreach (after, name, value)
        if (json_object_get(before, name) == NULL)
            names[count++] = name;
    write_pointers(names, count, out);
    free(names);
}
