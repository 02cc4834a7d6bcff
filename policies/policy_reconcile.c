/* The member reconcile of a policy file: how the gate finds out what became of a mutation whose answer never
 * came. */
#include "policies/policy_compiler.h"

/* One row for each number of seconds. */
static const struct {
    const char *name;
    size_t offset; /* in struct reconcile_settings */
    unsigned standard, least, most;
} seconds[] = {
    {"settle_seconds", offsetof(struct reconcile_settings, settle_s), 30, 1, 3600},
    {"retry_seconds", offsetof(struct reconcile_settings, retry_s), 30, 1, 3600},
    {"deadline_seconds", offsetof(struct reconcile_settings, deadline_s), 1800, 1, 86400},
};

static void seconds_compile(struct compiler *compiler, const struct place *above, json_t *object, size_t row)
{
    const struct place place = {.above = above, .member = seconds[row].name};
    json_t *value = json_object_get(object, seconds[row].name);
    json_int_t number = json_integer_value(value);
    unsigned *setting = (unsigned *)(void *)((char *)&compiler->policy->reconcile + seconds[row].offset);

    *setting = seconds[row].standard;
    if (value == NULL)
        return;
    if (json_is_integer(value) && number >= seconds[row].least && number <= seconds[row].most)
        *setting = (unsigned)number;
    else
        note_error(compiler, &place, "must be a whole number from %u to %u", seconds[row].least,
                   seconds[row].most);
}

void reconcile_compile(struct compiler *compiler, const struct place *root, json_t *value)
{
    static const char *const known[] = {"upstream_token",   "settle_seconds", "retry_seconds",
                                        "deadline_seconds", "description",    NULL};
    const struct place place = {.above = root, .member = "reconcile"};
    struct reconcile_settings *settings = &compiler->policy->reconcile;

    settings->credential = CREDENTIAL_OWN;
    if (value_is(compiler, &place, value, JSON_OBJECT))
        members_check(compiler, &place, value, known);
    else
        value = NULL; /* the defaults then */
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++)
        seconds_compile(compiler, &place, value, i);
    settings->declined = json_is_null(json_object_get(value, "upstream_token"));
    if (!settings->declined)
        settings->credential = credential_compile(compiler, &place, value);
}
