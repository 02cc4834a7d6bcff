/* How often: the members rate_limit of a policy file, of the file for every principal and of a principal for
 * itself, and a principal's member break_glass. */
#include "policies/policy_compiler.h"

#define REQUESTS_MOST 1000000
#define SECONDS_MOST  86400

/* Breaking the glass is for emergencies: few times, counted over as long as the budgets of rules are. */
#define BREAKS_MOST        10000
#define BREAK_SECONDS_MOST 2678400

unsigned number_compile(struct compiler *compiler, const struct place *above, json_t *object,
                        const char *name, unsigned least, unsigned most)
{
    const struct place place = {.above = above, .member = name};
    json_t *value = json_object_get(object, name);
    json_int_t number = json_integer_value(value);

    if (json_is_integer(value) && number >= least && number <= most)
        return (unsigned)number;
    if (value == NULL)
        note_error(compiler, above, "lacks \"%s\"", name);
    else
        note_error(compiler, &place, "must be a whole number from %u to %u", least, most);
    return 0;
}

static struct rate_limit limit_compile(struct compiler *compiler, const struct place *place, json_t *value,
                                       unsigned requests_most, unsigned seconds_most)
{
    static const char *const known[] = {"requests", "seconds", "description", NULL};

    if (!value_is(compiler, place, value, JSON_OBJECT))
        return (struct rate_limit){0};
    members_check(compiler, place, value, known);
    return (struct rate_limit){
        .requests = number_compile(compiler, place, value, "requests", 1, requests_most),
        .seconds = number_compile(compiler, place, value, "seconds", 1, seconds_most),
    };
}

struct rate_limit break_glass_compile(struct compiler *compiler, const struct place *above, json_t *object)
{
    const struct place place = {.above = above, .member = "break_glass"};

    return limit_compile(compiler, &place, json_object_get(object, "break_glass"), BREAKS_MOST,
                         BREAK_SECONDS_MOST);
}

bool rate_limit_compile(struct compiler *compiler, const struct place *above, json_t *object,
                        struct rate_limit *limit)
{
    const struct place place = {.above = above, .member = "rate_limit"};
    json_t *value = json_object_get(object, "rate_limit");

    if (value == NULL)
        return false;
    *limit = (struct rate_limit){0};
    if (!json_is_null(value))
        *limit = limit_compile(compiler, &place, value, REQUESTS_MOST, SECONDS_MOST);
    return true;
}

const char *policy_rate_rule(const struct principal *principal, struct arena *arena)
{
    struct text rule = {0};

    if (principal->own_rate_limit) {
        text_add_string(&rule, "/principals");
        pointer_add(&rule, principal->name);
    }
    text_add_string(&rule, "/rate_limit");
    const char *copy = rule.failed ? NULL : arena_copy(arena, (struct span){rule.data, rule.length}).data;
    text_free(&rule);
    return copy != NULL ? copy : "/rate_limit";
}
