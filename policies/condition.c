/* Does a condition hold? Three answers: yes, no, and not known. */
#include "policies/gate_rules.h"

#include "policies/document_internal.h"
#include "policies/moment.h"
#include "policies/version.h"

/* What stands at the place that a condition looks at. */
struct sighting {
    enum {
        SEEN_NOTHING, /* there is no such value */
        SEEN_UNKNOWN, /* it is not known whether there is, or what it is */
        SEEN_SCALAR,
        SEEN_STRUCTURE, /* an object or array */
    } kind;
    struct scalar scalar;
};

static const struct sighting nothing = {.kind = SEEN_NOTHING}, unknown = {.kind = SEEN_UNKNOWN};

static struct sighting see_text(struct span text)
{
    if (text.data == NULL)
        return nothing;
    return (struct sighting){SEEN_SCALAR, {.kind = SCALAR_STRING, .string = text}};
}

static struct sighting see_json(const json_t *value)
{
    struct sighting seen = {.kind = SEEN_SCALAR};

    if (value == NULL)
        return nothing;
    switch (json_typeof(value)) {
    case JSON_STRING:
        return see_text((struct span){json_string_value(value), json_string_length(value)});
    case JSON_INTEGER:
        seen.scalar = (struct scalar){.kind = SCALAR_INTEGER, .integer = json_integer_value(value)};
        return seen;
    case JSON_REAL:
        seen.scalar = (struct scalar){.kind = SCALAR_REAL, .real = json_real_value(value)};
        return seen;
    case JSON_TRUE:
    case JSON_FALSE:
        seen.scalar = (struct scalar){.kind = SCALAR_BOOLEAN, .truth = json_is_true(value)};
        return seen;
    case JSON_NULL:
        seen.scalar = (struct scalar){.kind = SCALAR_NULL};
        return seen;
    case JSON_OBJECT:
    case JSON_ARRAY:
    default:
        return (struct sighting){.kind = SEEN_STRUCTURE};
    }
}

/* The value that decoded segments lead to; NULL for none. */
static const json_t *follow(const json_t *value, const char *const *segments)
{
    size_t element;

    for (; *segments != NULL && value != NULL; segments++) {
        if (json_is_object(value))
            value = json_object_get(value, *segments);
        else
            value = pointer_index(span_of(*segments), &element) ? json_array_get(value, element) : NULL;
    }
    return value;
}

/* Is the kind of facts at hand? Otherwise what is seen of it is unknown, and where nobody has asked for it
 * yet, it is needed. */
static bool at_hand(struct outlook *outlook, enum fact fact)
{
    const struct facts *facts = outlook->request->facts;

    if (facts != NULL && (facts->had & fact) != 0)
        return true;
    if (facts == NULL || (facts->failed & fact) == 0)
        outlook->needs |= fact;
    return false;
}

const json_t *body_attribute(const struct decision *decision, const char *const *segments)
{
    return follow(json_object_get(json_object_get(decision->body, "data"), "attributes"), segments);
}

/* The integration as it is before the change; on a create, as the body would make it. */
static struct sighting see_attributes(struct outlook *outlook, const char *const *segments)
{
    switch (outlook->decision->operation->effect) {
    case EFFECT_CREATE:
        return see_json(body_attribute(outlook->decision, segments));
    case EFFECT_UPDATE:
    case EFFECT_HARD_DELETE:
        if (!at_hand(outlook, FACT_INTEGRATION))
            return unknown;
        return see_json(follow(outlook->request->facts->attributes, segments));
    case EFFECT_READ:
    default:
        return nothing;
    }
}

static struct sighting see_settings(struct outlook *outlook, const char *const *segments)
{
    enum effect effect = outlook->decision->operation->effect;

    if (effect != EFFECT_UPDATE && effect != EFFECT_HARD_DELETE)
        return nothing;
    if (!at_hand(outlook, FACT_SETTINGS))
        return unknown;
    return see_json(follow(outlook->request->facts->settings, segments));
}

static struct sighting see_number(struct outlook *outlook, enum subject subject)
{
    if (outlook->decision->operation->effect != EFFECT_HARD_DELETE)
        return nothing;
    if (!at_hand(outlook, FACT_RADIUS))
        return unknown;

    const struct facts *facts = outlook->request->facts;
    const struct fact_number *number = subject == SUBJECT_TARGETS ? &facts->targets : &facts->projects;
    if (number->state != FACT_NUMBER_KNOWN)
        return unknown;
    return (struct sighting){
        SEEN_SCALAR,
        {.kind = SCALAR_INTEGER, .integer = number->value > INT64_MAX ? INT64_MAX : (int64_t)number->value}};
}

static struct sighting see_stability(const struct decision *decision)
{
    struct version version;

    return version_parse(decision->version, &version) ? see_text(span_of(stability_name(version.stability)))
                                                      : nothing;
}

static struct sighting see(struct outlook *outlook, const struct condition *condition)
{
    const struct decision *decision = outlook->decision;

    switch (condition->subject) {
    case SUBJECT_VERSION:
        return see_text(decision->version);
    case SUBJECT_STABILITY:
        return see_stability(decision);
    case SUBJECT_BODY:
        return see_json(follow(decision->body, condition->below));
    case SUBJECT_ID:
        return decision->operation->effect == EFFECT_CREATE ? nothing : see_text(decision->resource);
    case SUBJECT_ATTRIBUTES:
        return see_attributes(outlook, condition->below);
    case SUBJECT_SETTINGS:
        return see_settings(outlook, condition->below);
    case SUBJECT_TARGETS:
    case SUBJECT_PROJECTS:
        return see_number(outlook, condition->subject);
    case SUBJECT_CLIENT: /* these two have tests of their own */
    case SUBJECT_TIME:
    case SUBJECTS:
    default:
        return nothing;
    }
}

/* ---- tests ---- */

/* Below 0, 0 or above 0, as the real number is below, equal to or above the integer: exactly, which a
 * conversion of the integer is not. */
static int compare_real(double real, int64_t integer)
{
    if (real >= 0x1p63)
        return 1;
    if (real < -0x1p63)
        return -1;
    int64_t whole = (int64_t)real; /* towards 0; what is left over has the sign of the number */
    if (whole != integer)
        return whole < integer ? -1 : 1;
    return (real > (double)whole) - (real < (double)whole);
}

/* Numbers are equal where their values are, however they are written. */
static bool is_equal(const struct scalar *a, const struct scalar *b)
{
    if (a->kind != b->kind) {
        if (a->kind == SCALAR_REAL && b->kind == SCALAR_INTEGER)
            return compare_real(a->real, b->integer) == 0;
        return a->kind == SCALAR_INTEGER && b->kind == SCALAR_REAL && compare_real(b->real, a->integer) == 0;
    }
    switch (a->kind) {
    case SCALAR_NULL:
        return true;
    case SCALAR_BOOLEAN:
        return a->truth == b->truth;
    case SCALAR_INTEGER:
        return a->integer == b->integer;
    case SCALAR_REAL:
        return !(a->real < b->real) && !(a->real > b->real);
    case SCALAR_STRING:
    default:
        return span_equal(a->string, b->string);
    }
}

static enum truth of(bool holds)
{
    return holds ? TRUTH_YES : TRUTH_NO;
}

static enum truth is_in(const struct condition *condition, const struct scalar *seen)
{
    for (uint32_t i = 0; i < condition->count; i++)
        if (is_equal(&condition->values[i], seen))
            return TRUTH_YES;
    return TRUTH_NO;
}

static enum truth is_matched(struct outlook *outlook, const struct condition *condition,
                             const struct scalar *seen)
{
    if (seen->kind != SCALAR_STRING)
        return TRUTH_NO;
    switch (pattern_match(condition->pattern, outlook->input->scratch, seen->string)) {
    case MATCH_YES:
        return TRUTH_YES;
    case MATCH_NO:
        return TRUTH_NO;
    case MATCH_LIMIT:
    default:
        return TRUTH_UNKNOWN;
    }
}

static enum truth is_above(const struct condition *condition, const struct scalar *seen)
{
    if (seen->kind == SCALAR_INTEGER)
        return of(seen->integer > condition->above);
    return of(seen->kind == SCALAR_REAL && compare_real(seen->real, condition->above) > 0);
}

static bool is_within(const struct condition *condition, struct span client)
{
    const struct networks networks = {.items = condition->networks, .count = condition->count};
    struct ip_address address;

    return ip_address_parse(client, &address) && networks_contain(&networks, &address);
}

/* A window that goes over midnight belongs to the day on which it began. */
static bool is_in_window(const struct window *window, int64_t now)
{
    int64_t second = now % MOMENT_DAY, day = now / MOMENT_DAY;

    if (second < 0) {
        second += MOMENT_DAY;
        day--;
    }
    unsigned minute = (unsigned)(second / 60);
    unsigned today = (unsigned)(((day + 3) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
    unsigned yesterday = (today + 6) % 7;
    bool begins = (window->days >> today & 1) != 0, goes_on = (window->days >> yesterday & 1) != 0;

    if (now < window->after || now >= window->before)
        return false;
    if (!window->timed)
        return begins;
    if (window->from < window->to)
        return begins && minute >= window->from && minute < window->to;
    return (begins && minute >= window->from) || (goes_on && minute < window->to);
}

static bool is_during(const struct condition *condition, int64_t now)
{
    for (uint32_t i = 0; i < condition->count; i++)
        if (is_in_window(&condition->windows[i], now))
            return true;
    return false;
}

static enum truth test(struct outlook *outlook, const struct condition *condition,
                       const struct sighting *seen)
{
    if (seen->kind == SEEN_UNKNOWN)
        return TRUTH_UNKNOWN;
    if (condition->test == TEST_EXISTS)
        return of((seen->kind != SEEN_NOTHING) == condition->exists);
    if (seen->kind != SEEN_SCALAR)
        return TRUTH_NO;
    switch (condition->test) {
    case TEST_IN:
        return is_in(condition, &seen->scalar);
    case TEST_MATCHES:
        return is_matched(outlook, condition, &seen->scalar);
    case TEST_ABOVE:
        return is_above(condition, &seen->scalar);
    case TEST_EXISTS:
    case TEST_WITHIN:
    case TEST_DURING:
    default:
        return TRUTH_NO;
    }
}

enum truth condition_holds(struct outlook *outlook, const struct condition *condition)
{
    if (condition->subject == SUBJECT_CLIENT)
        return of(is_within(condition, outlook->request->client));
    if (condition->subject == SUBJECT_TIME)
        return of(is_during(condition, outlook->request->now));

    const struct sighting seen = see(outlook, condition);
    return test(outlook, condition, &seen);
}
