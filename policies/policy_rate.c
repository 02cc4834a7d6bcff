/* The members rate_limit of a policy file: of the file for every principal, of a principal for itself. */
#include "policies/policy_compiler.h"

#define REQUESTS_MOST 1000000
#define SECONDS_MOST  86400

static unsigned number_compile(struct compiler *compiler, const struct place *above, json_t *object,
                               const char *name, unsigned most)
{
    const struct place place = {.above = above, .member = name};
    json_t *value = json_object_get(object, name);
    json_int_t number = json_integer_value(value);

    if (json_is_integer(value) && number >= 1 && number <= most)
        return (unsigned)number;
    if (value == NULL)
        note_error(compiler, above, "lacks \"%s\"", name);
    else
        note_error(compiler, &place, "must be a whole number from 1 to %u", most);
    return 0;
}

bool rate_limit_compile(struct compiler *compiler, const struct place *above, json_t *object,
                        struct rate_limit *limit)
{
    static const char *const known[] = {"requests", "seconds", "description", NULL};
    const struct place place = {.above = above, .member = "rate_limit"};
    json_t *value = json_object_get(object, "rate_limit");

    if (value == NULL)
        return false;
    *limit = (struct rate_limit){0};
    if (json_is_null(value) || !value_is(compiler, &place, value, JSON_OBJECT))
        return true;
    members_check(compiler, &place, value, known);
    limit->requests = number_compile(compiler, &place, value, "requests", REQUESTS_MOST);
    limit->seconds = number_compile(compiler, &place, value, "seconds", SECONDS_MOST);
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
