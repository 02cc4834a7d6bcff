/* The members `owners` of principals: whose they are. Owners may have owners themselves; what counts are the
 * people at the ends of these chains. */
#include "policies/policy_compiler.h"

#include <stdlib.h>

#define CHAIN_LONGEST 8 /* owners of owners of … */

enum progress { UNTOUCHED, UNDER_WAY, DONE };

struct owners {
    struct compiler *compiler;
    const struct place *place; /* "/principals" */
    json_t *principals;
    struct {
        enum progress progress;
        unsigned height; /* of its longest chain of owners */
    } * states;          /* by principal */
};

/* The people behind one principal, while they are collected. */
struct crowd {
    uint32_t people[OWNERS_PEOPLE];
    uint32_t count;
    bool full;
};

/* Puts a person in where the order wants it; nothing where it is in already. */
static void crowd_add(struct crowd *crowd, uint32_t person)
{
    uint32_t at = crowd->count;

    while (at > 0 && crowd->people[at - 1] > person)
        at--;
    if (at > 0 && crowd->people[at - 1] == person)
        return;
    if (crowd->count == OWNERS_PEOPLE) {
        crowd->full = true;
        return;
    }
    memmove(&crowd->people[at + 1], &crowd->people[at], (crowd->count - at) * sizeof *crowd->people);
    crowd->people[at] = person;
    crowd->count++;
}

static void resolve(struct owners *owners, uint32_t index, unsigned depth);

/* Adds the people behind one owner of the principal; what is wrong with it is noted. */
static void add_owner(struct owners *owners, const struct place *place, uint32_t of, json_t *name,
                      unsigned depth, struct crowd *crowd)
{
    struct compiler *compiler = owners->compiler;
    const struct policy *policy = compiler->policy;

    if (!value_is(compiler, place, name, JSON_STRING))
        return;
    uint32_t owner = find_principal(policy, string_span(name));
    if (owner == TABLE_NONE) {
        note_unknown(compiler, place, "principal", "principals", json_string_value(name));
        return;
    }
    if (owner == of) {
        note_error(compiler, place, "nobody owns themselves: without `owners` a principal is a person");
        return;
    }
    if (depth < CHAIN_LONGEST)
        resolve(owners, owner, depth + 1);
    if (owners->states[owner].progress == UNDER_WAY) {
        note_error(compiler, place, "goes round in a circle: \"%s\" is owned by \"%s\" already",
                   policy->principals[owner].name, policy->principals[of].name);
        return;
    }
    if (owners->states[of].height <= owners->states[owner].height)
        owners->states[of].height = owners->states[owner].height + 1;
    for (uint32_t i = 0; i < policy->principals[owner].people_count; i++)
        crowd_add(crowd, policy->principals[owner].people[i]);
}

/* Gives the principal its people. */
static void keep(struct owners *owners, const struct place *place, uint32_t index, const struct crowd *crowd)
{
    struct policy *policy = owners->compiler->policy;

    if (owners->states[index].height > CHAIN_LONGEST)
        note_error(owners->compiler, place, "owners of owners go deeper than %d", CHAIN_LONGEST);
    if (crowd->full)
        note_error(owners->compiler, place, "more than %d people stand behind it", OWNERS_PEOPLE);
    if (crowd->count == 0)
        return; /* all of them were wrong */

    uint32_t *people = arena_take(&policy->texts, crowd->count * sizeof *people);
    if (people == NULL) {
        note_memory(owners->compiler);
        return;
    }
    memcpy(people, crowd->people, crowd->count * sizeof *people);
    policy->principals[index].people = people;
    policy->principals[index].people_count = crowd->count;
}

/* `depth` bounds the recursion; a chain that is too long for it is noted by its height. */
static void resolve(struct owners *owners, uint32_t index, unsigned depth)
{
    const char *name = owners->compiler->policy->principals[index].name;
    const struct place above = {.above = owners->place, .member = name};
    const struct place place = {.above = &above, .member = "owners"};
    json_t *list = json_object_get(json_object_get(owners->principals, name), "owners");
    struct crowd crowd = {.count = 0};

    if (owners->states[index].progress != UNTOUCHED)
        return;
    owners->states[index].progress = UNDER_WAY;
    if (value_is(owners->compiler, &place, list, JSON_ARRAY)) {
        for (size_t i = 0; i < json_array_size(list); i++) {
            const struct place here = {.above = &place, .element = i};
            add_owner(owners, &here, index, json_array_get(list, i), depth, &crowd);
        }
        if (json_array_size(list) == 0)
            note_error(owners->compiler, &place, "names nobody: leave it out where there are no owners");
        keep(owners, &place, index, &crowd);
    }
    owners->states[index].progress = DONE;
}

void owners_compile(struct compiler *compiler, const struct place *root, json_t *principals)
{
    const struct place place = {.above = root, .member = "principals"};
    struct policy *policy = compiler->policy;
    struct owners owners = {.compiler = compiler, .place = &place, .principals = principals};

    owners.states = calloc(policy->principal_count + 1, sizeof *owners.states);
    if (owners.states == NULL) {
        note_memory(compiler);
        return;
    }
    for (uint32_t i = 0; i < policy->principal_count; i++)
        if (policy->principals[i].name != NULL)
            resolve(&owners, i, 0);
    free(owners.states);
}
