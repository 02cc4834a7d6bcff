/* The members enforcement of a policy file: is what it refuses refused, or only noted? */
#include "policies/policy_compiler.h"
#include "policies/uuid.h"

enum enforcement enforcement_compile(struct compiler *compiler, const struct place *above, json_t *object)
{
    static const char *const words[] = {"enforce", "observe", NULL};
    const struct place place = {.above = above, .member = "enforcement"};
    json_t *value = json_object_get(object, "enforcement");
    char room[64];

    if (!value_is(compiler, &place, value, JSON_STRING))
        return ENFORCEMENT_UNSAID;
    if (span_is(string_span(value), "enforce"))
        return ENFORCEMENT_ENFORCE;
    if (!span_is(string_span(value), "observe")) {
        note_error(compiler, &place, "must be \"enforce\" or \"observe\"%s",
                   suggestion(json_string_value(value), words, room, sizeof room));
        return ENFORCEMENT_ENFORCE;
    }
    note_kind(compiler, &place, "not-enforced",
              "NOT ENFORCED %s: what permissions, rules and budgets refuse is forwarded all the same, and "
              "only noted in the logs",
              above->above == NULL ? "anywhere that does not say \"enforce\" itself"
                                   : "in this organization");
    return ENFORCEMENT_OBSERVE;
}

bool policy_observes(const struct policy *policy, uint32_t organization)
{
    enum enforcement own = (enum enforcement)policy->organizations[organization].enforcement;

    return own == ENFORCEMENT_UNSAID ? policy->enforcement == ENFORCEMENT_OBSERVE
                                     : own == ENFORCEMENT_OBSERVE;
}

const char *policy_enforcement_pointer(const struct policy *policy, uint32_t organization,
                                       struct arena *arena)
{
    const struct organization *own = &policy->organizations[organization];
    char id[UUID_TEXT_SIZE];

    if (own->enforcement == ENFORCEMENT_UNSAID)
        return "/enforcement";
    uuid_spell(own->id, id);
    return arena_format(arena, "/organizations/%s/enforcement", id);
}
