/* A request that a change concerns, in the form of a test case: to be judged, or to be thought about. */
#include "policies/diff_internal.h"
#include "policies/moment.h"

#include <stdlib.h>

#define SAMPLE_UUID "00000000-0000-4000-8000-000000000000"
#define SAMPLE_DAY  INT64_C(1767571200) /* 2026-01-05, a Monday */
#define SAMPLE_DATE 20241015            /* of a version */
#define DAYS        8                   /* in which every window of a week opens */

struct witness {
    struct diff *diff;
    json_t *root, *request;
    const char *version, *stability, *id; /* that a condition asks for; NULL: any */
    const char *missed;                   /* a condition that no value was found for; NULL: none */
};

/* ---- values ---- */

static json_t *scalar_value(const struct scalar *scalar)
{
    switch (scalar->kind) {
    case SCALAR_BOOLEAN:
        return json_boolean(scalar->truth);
    case SCALAR_INTEGER:
        return json_integer(scalar->integer);
    case SCALAR_REAL:
        return json_real(scalar->real);
    case SCALAR_STRING:
        return json_stringn(scalar->string.data, scalar->string.length);
    case SCALAR_NULL:
    default:
        return json_null();
    }
}

static bool is_open(const struct window *window, int64_t moment)
{
    int64_t day = moment / MOMENT_DAY;
    unsigned minute = (unsigned)(moment % MOMENT_DAY / 60), weekday = (unsigned)((day + 3) % 7);

    if (moment < window->after || moment >= window->before || (window->days >> weekday & 1) == 0)
        return false;
    return !window->timed || (minute >= window->from && (window->to <= window->from || minute < window->to));
}

static json_t *window_value(const struct window *window)
{
    int64_t from = window->after > SAMPLE_DAY || window->before <= SAMPLE_DAY ? window->after : SAMPLE_DAY;
    char text[MOMENT_TEXT_SIZE];

    for (int64_t at = from > 0 ? from : 0, minute = 0; minute < DAYS * 24 * 60; minute++, at += 60)
        if (is_open(window, at)) {
            moment_write(at, text);
            return json_string(text);
        }
    return NULL;
}

static json_t *network_value(const struct network *network)
{
    char text[IP_ADDRESS_TEXT];

    ip_address_write(&network->base, text);
    return json_string(text);
}

/* A value for which the condition holds; NULL: none was found. */
static json_t *value_for(struct diff *diff, const struct condition *condition)
{
    const char *sample;

    switch (condition->test) {
    case TEST_IN:
        return scalar_value(&condition->values[0]);
    case TEST_MATCHES:
        sample = diff_sample(diff, condition->pattern);
        return sample != NULL ? json_string(sample) : NULL;
    case TEST_ABOVE:
        return condition->above < INT64_MAX ? json_integer(condition->above + 1) : NULL;
    case TEST_WITHIN:
        return network_value(&condition->networks[0]);
    case TEST_DURING:
        return window_value(&condition->windows[0]);
    case TEST_EXISTS:
    default:
        return json_string("x");
    }
}

/* ---- where they stand ---- */

/* Puts the value below the object, making what lies between. Takes it over. */
static void put_below(json_t *object, const char *name, const char *const *below, json_t *value)
{
    for (; *below != NULL; name = *below++) {
        json_t *next = json_object_get(object, name);

        if (!json_is_object(next)) {
            next = json_object();
            (void)json_object_set_new(object, name, next);
        }
        object = next;
    }
    (void)json_object_set_new(object, name, value);
}

static json_t *section(struct witness *witness, const char *name)
{
    json_t *found = json_object_get(witness->root, name);

    if (found == NULL) {
        found = json_object();
        (void)json_object_set_new(witness->root, name, found);
    }
    return found;
}

/* A text that lives as long as the change; takes the value over. */
static const char *text_of(struct witness *witness, json_t *value)
{
    const char *text =
        json_is_string(value) ? diff_text(witness->diff, "%s", json_string_value(value)) : NULL;

    json_decref(value);
    return text;
}

static void put_value(struct witness *witness, const struct condition *condition, json_t *value)
{
    switch (condition->subject) {
    case SUBJECT_VERSION:
        witness->version = text_of(witness, value);
        break;
    case SUBJECT_STABILITY:
        witness->stability = text_of(witness, value);
        break;
    case SUBJECT_ID:
        witness->id = text_of(witness, value);
        break;
    case SUBJECT_CLIENT:
        (void)json_object_set_new(witness->request, "client", value);
        break;
    case SUBJECT_TIME:
        (void)json_object_set_new(witness->root, "time", value);
        break;
    case SUBJECT_BODY:
        put_below(witness->request, "body", condition->below, value);
        break;
    case SUBJECT_ATTRIBUTES:
        put_below(section(witness, "integration"), "attributes", condition->below, value);
        break;
    case SUBJECT_SETTINGS:
        put_below(section(witness, "integration"), "settings", condition->below, value);
        break;
    case SUBJECT_TARGETS:
        (void)json_object_set_new(section(witness, "radius"), "targets", value);
        break;
    case SUBJECT_PROJECTS:
        (void)json_object_set_new(section(witness, "radius"), "projects", value);
        break;
    case SUBJECTS:
    default:
        json_decref(value);
    }
}

static void put_conditions(struct witness *witness, const struct rule *rule)
{
    for (uint32_t i = 0; rule != NULL && i < rule->when.count; i++) {
        const struct condition *condition = &rule->when.items[i];

        if (condition->test == TEST_EXISTS && !condition->exists)
            continue;
        json_t *value = value_for(witness->diff, condition);
        if (value != NULL)
            put_value(witness, condition, value);
        else
            witness->missed = condition->at;
    }
}

/* ---- the request ---- */

/* A version that the policy allows, or the one that a condition asks for. */
static const char *version_for(struct witness *witness, const struct version_rules *rules)
{
    uint32_t date = rules->oldest != 0 ? rules->oldest : rules->newest != 0 ? rules->newest : SAMPLE_DATE;
    const char *stability = witness->stability;

    if (witness->version != NULL)
        return witness->version;
    for (unsigned i = STABILITY_COUNT; i-- > 0 && stability == NULL;)
        if (rules->allowed[i])
            stability = stability_name((enum stability)i);
    bool bare = stability == NULL || strcmp(stability, stability_name(STABILITY_GA)) == 0;
    return diff_text(witness->diff, "%04u-%02u-%02u%s%s", date / 10000, date / 100 % 100, date % 100,
                     bare ? "" : "~", bare ? "" : stability);
}

static void put_target(struct witness *witness, const struct operation *operation, const char *organization,
                       const char *version)
{
    struct text target = {0};

    for (size_t i = 0; i < operation->segment_count; i++) {
        struct span literal = operation->segments[i].literal;

        text_add(&target, "/", 1);
        if (literal.data != NULL)
            text_add(&target, literal.data, literal.length);
        else if ((int)i == operation->organization)
            text_add_string(&target, strcmp(organization, "*") == 0 ? SAMPLE_UUID : organization);
        else
            text_add_string(&target, witness->id != NULL ? witness->id : SAMPLE_UUID);
    }
    text_add_format(&target, "?version=%s", version);
    (void)json_object_set_new(witness->request, "target", json_stringn(target.data, target.length));
    text_free(&target);
}

const char *diff_witness(struct diff *diff, const struct diff_side *side, const char *principal,
                         const char *organization, const struct operation *operation, const struct rule *rule,
                         int64_t now)
{
    struct witness witness = {.diff = diff, .root = json_object(), .request = json_object()};
    char moment[MOMENT_TEXT_SIZE];
    const char *made = NULL;

    (void)json_object_set_new(witness.root, "principal", json_string(principal));
    (void)json_object_set_new(witness.root, "request", witness.request);
    (void)json_object_set_new(witness.request, "method", json_string(operation->method));
    put_conditions(&witness, rule);
    moment_write(now, moment);
    if (now != 0 && json_object_get(witness.root, "time") == NULL)
        (void)json_object_set_new(witness.root, "time", json_string(moment));
    put_target(&witness, operation, organization, version_for(&witness, policy_version_rules(side->policy)));
    if (witness.missed != NULL)
        (void)json_object_set_new(witness.root, "description",
                                  json_sprintf("no value was found for the condition at %s", witness.missed));
    char *text = json_dumps(witness.root, JSON_COMPACT);
    if (text != NULL)
        made = arena_copy(&diff->arena, span_of(text)).data;
    diff->failed = diff->failed || made == NULL;
    free(text);
    json_decref(witness.root);
    return made;
}
