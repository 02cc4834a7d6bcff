#include "proxy/console/facts_said.h"

/* Is it said that the value is not known? */
static bool is_unknown(const json_t *value)
{
    return value == NULL || (json_is_string(value) && strcmp(json_string_value(value), "unknown") == 0);
}

/* A member that is an object; NULL where it is not known. */
static json_t *object_said(struct strict *strict, const struct place *above, json_t *object,
                           const char *member)
{
    const struct place place = {.above = above, .member = member};
    json_t *value = json_object_get(object, member);

    if (is_unknown(value))
        return NULL;
    if (!json_is_object(value))
        strict_note(strict, &place, "must be an object, or \"unknown\"");
    return json_is_object(value) ? value : NULL;
}

static struct fact_number number_said(struct strict *strict, const struct place *above, json_t *object,
                                      const char *member)
{
    const struct place place = {.above = above, .member = member};
    json_t *value = json_object_get(object, member);

    if (is_unknown(value))
        return (struct fact_number){.state = FACT_NUMBER_UNKNOWN};
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        strict_note(strict, &place, "must be a whole number, 0 or more, or \"unknown\"");
    return (struct fact_number){FACT_NUMBER_KNOWN, (uint64_t)json_integer_value(value)};
}

static void put(struct facts *facts, enum fact fact, bool had)
{
    *(had ? &facts->had : &facts->failed) |= (unsigned)fact;
}

void facts_said_read(struct strict *strict, const struct place *place, json_t *object, struct facts *facts)
{
    static const char *const integration_known[] = {"attributes", "settings", NULL};
    static const char *const radius_known[] = {"targets", "projects", NULL};
    const struct place at_integration = {.above = place, .member = "integration"};
    const struct place at_radius = {.above = place, .member = "radius"};
    json_t *integration = object_said(strict, place, object, "integration");
    json_t *radius = object_said(strict, place, object, "radius");

    *facts = (struct facts){0};
    strict_members(strict, &at_integration, integration, integration_known);
    strict_members(strict, &at_radius, radius, radius_known);
    facts->attributes = object_said(strict, &at_integration, integration, "attributes");
    facts->settings = object_said(strict, &at_integration, integration, "settings");
    facts->targets = number_said(strict, &at_radius, radius, "targets");
    facts->projects = number_said(strict, &at_radius, radius, "projects");
    put(facts, FACT_INTEGRATION, facts->attributes != NULL);
    put(facts, FACT_SETTINGS, facts->settings != NULL);
    put(facts, FACT_RADIUS, radius != NULL);
}
