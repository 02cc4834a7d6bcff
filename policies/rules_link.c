/* Do the rules of a policy fit the contract? And which of its operations is each of them about? */
#include "policies/document_internal.h"
#include "policies/place.h"
#include "policies/rule_index.h"
#include "policies/schema_view.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct linking {
    struct policy *policy;
    const struct contract *contract;
    const struct operation *operations;
    size_t count;
    const struct document *document;
    struct problems *problems;
};

__attribute__((format(printf, 4, 5))) static void note(const struct linking *linking, enum severity severity,
                                                       const char *pointer, const char *format, ...)
{
    char message[512];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    problems_add(linking->problems, severity, linking->document, pointer, "%s", message);
}

/* ---- operations ---- */

static bool has(const uint64_t *set, size_t index)
{
    return (set[index / 64] >> index % 64 & 1) != 0;
}

static const struct operation *operation_named(const struct linking *linking, const char *id)
{
    for (size_t i = 0; i < linking->count; i++)
        if (strcmp(linking->operations[i].id, id) == 0)
            return &linking->operations[i];
    return NULL;
}

static void note_no_operation(const struct linking *linking, const char *pointer, const char *name)
{
    const char **known = calloc(linking->count + 1, sizeof *known);
    char room[96];

    for (size_t i = 0; known != NULL && i < linking->count; i++)
        known[i] = linking->operations[i].id;
    note(linking, SEVERITY_ERROR, pointer, "is no operation of the contract%s",
         known ? suggestion(name, known, room, sizeof room) : "");
    free(known);
}

static const char *condition_on_integration(const struct conditions *conditions)
{
    for (uint32_t i = 0; i < conditions->count; i++)
        if (conditions->items[i].subject == SUBJECT_ATTRIBUTES ||
            conditions->items[i].subject == SUBJECT_SETTINGS)
            return conditions->items[i].at;
    return NULL;
}

static const char *condition_on_radius(const struct conditions *conditions)
{
    for (uint32_t i = 0; i < conditions->count; i++)
        if (conditions->items[i].subject == SUBJECT_TARGETS ||
            conditions->items[i].subject == SUBJECT_PROJECTS)
            return conditions->items[i].at;
    return NULL;
}

static const char *first_of(const char *one, const char *other)
{
    return one != NULL ? one : other;
}

/* What a rule can do to an operation that it names, and look at there. */
static void check_named(const struct linking *linking, const struct rule *rule,
                        const struct operation *operation, const char *pointer)
{
    const char *integration =
        first_of(condition_on_integration(&rule->when), condition_on_integration(&rule->unless));
    const char *radius = first_of(condition_on_radius(&rule->when), condition_on_radius(&rule->unless));

    if (operation->effect == EFFECT_READ &&
        (rule->effect == RULE_BREAK_GLASS || rule->effect == RULE_APPROVAL || rule->effect == RULE_BUDGET))
        note(linking, SEVERITY_ERROR, pointer,
             "is a read; \"%s\" is for changes alone, which are recorded before they are sent",
             rule->effect == RULE_BREAK_GLASS ? "break_glass"
             : rule->effect == RULE_APPROVAL  ? "approval"
                                              : "budget");
    if (operation->effect == EFFECT_READ && integration != NULL)
        note(linking, SEVERITY_ERROR, pointer, "is a read; what %s looks at is known of changes alone",
             integration);
    if (operation->effect != EFFECT_HARD_DELETE && radius != NULL)
        note(linking, SEVERITY_ERROR, pointer, "is no hard delete; what %s looks at is known of those alone",
             radius);
}

static void name_operations(const struct linking *linking, const struct rule *rule, uint64_t *about)
{
    for (uint32_t i = 0; i < rule->operation_count; i++) {
        const struct operation *operation = operation_named(linking, rule->operations[i]);
        char pointer[64];

        (void)snprintf(pointer, sizeof pointer, "%s/operations/%u", rule->pointer, i);
        if (operation == NULL) {
            note_no_operation(linking, pointer, rule->operations[i]);
            continue;
        }
        about[operation->index / 64] |= UINT64_C(1) << operation->index % 64;
        check_named(linking, rule, operation, pointer);
    }
}

static bool looks_at_name(const struct conditions *conditions)
{
    for (uint32_t i = 0; i < conditions->count; i++) {
        const struct condition *condition = &conditions->items[i];
        if (condition->subject == SUBJECT_ATTRIBUTES && condition->below[0] != NULL &&
            strcmp(condition->below[0], "profile_name") == 0 && condition->below[1] == NULL)
            return true;
    }
    return false;
}

/* Is the rule a lock by name: would another name open it? */
static bool locks_name(const struct linking *linking, const struct rule *rule)
{
    if (rule->effect != RULE_DENY || !looks_at_name(&rule->when))
        return false;
    for (size_t i = 0; i < linking->count; i++)
        if (has(rule->about, i) && linking->operations[i].effect == EFFECT_HARD_DELETE)
            return true;
    return false;
}

static bool set_operations(const struct linking *linking, struct rule *rule)
{
    size_t words = linking->count / 64 + 1;
    uint64_t *sets = arena_take(&linking->policy->texts, 2 * words * sizeof *sets);

    if (sets == NULL) {
        note(linking, SEVERITY_ERROR, "", "out of memory");
        return false;
    }
    memset(sets, 0, 2 * words * sizeof *sets);
    rule->about = sets;
    rule->renames = sets + words;
    name_operations(linking, rule, sets);
    for (size_t i = 0; i < linking->count && rule->operation_count == 0; i++)
        if (linking->operations[i].effect != EFFECT_READ)
            sets[i / 64] |= UINT64_C(1) << i % 64;
    for (size_t i = 0; i < linking->count && locks_name(linking, rule); i++)
        if (linking->operations[i].effect == EFFECT_UPDATE && !has(sets, i))
            sets[words + i / 64] |= UINT64_C(1) << i % 64;
    return true;
}

/* ---- secrets ---- */

enum sight { SIGHT_NONE, SIGHT_PLAIN, SIGHT_SECRET };

/* Does a member's name alone make a secret of it, or of all below it? */
static bool names_secret(const char *const *segments)
{
    for (; *segments != NULL; segments++)
        if (name_is_secret(*segments) || name_is_credentials(*segments))
            return true;
    return false;
}

static bool is_secret(const struct view *view)
{
    for (size_t i = 0; i < view->count; i++)
        if (view->list[i]->secret)
            return true;
    return view->overflow;
}

/* What the segments lead to in a body of that schema; none where it can have no such value. */
static enum sight look(const struct view *from, const char *const *segments)
{
    struct view view = *from;
    size_t element;

    for (; *segments != NULL; segments++) {
        struct view below = view_below(&view, *segments);
        if (below.count == 0 && pointer_index(span_of(*segments), &element))
            below = view_below(&view, NULL);
        if (is_secret(&below))
            return SIGHT_SECRET;
        if (below.count == 0)
            return SIGHT_NONE;
        view = below;
    }
    return SIGHT_PLAIN;
}

/* What the condition sees in the bodies of the operations that the rule is about. A create's body is what the
 * integration will be. */
static enum sight look_at_bodies(const struct linking *linking, const struct rule *rule,
                                 const struct condition *condition)
{
    bool attributes = condition->subject == SUBJECT_ATTRIBUTES;
    enum sight most = SIGHT_NONE;

    for (size_t i = 0; i < linking->count; i++) {
        const struct operation *operation = &linking->operations[i];
        if ((!has(rule->about, i) && !has(rule->renames, i)) || operation->body == NULL ||
            (attributes && operation->effect != EFFECT_CREATE))
            continue;
        struct view view = view_of(operation->body);
        if (attributes) {
            view = view_below(&view, "data");
            view = view_below(&view, "attributes");
        }
        enum sight sight = look(&view, condition->below);
        most = sight > most ? sight : most;
    }
    return most;
}

static void check_condition(const struct linking *linking, const struct rule *rule,
                            const struct condition *condition, const char *list, uint32_t number)
{
    enum subject subject = condition->subject;
    char pointer[64];

    if (subject != SUBJECT_BODY && subject != SUBJECT_ATTRIBUTES && subject != SUBJECT_SETTINGS)
        return;
    enum sight sight = subject == SUBJECT_SETTINGS ? SIGHT_PLAIN : look_at_bodies(linking, rule, condition);
    (void)snprintf(pointer, sizeof pointer, "%s/%s/%u/at", rule->pointer, list, number);
    if (sight == SIGHT_SECRET || names_secret(condition->below))
        note(linking, SEVERITY_ERROR, pointer,
             "may lead to a secret: no rule looks at what the journal masks");
    else if (sight == SIGHT_NONE && subject == SUBJECT_BODY)
        note(linking, SEVERITY_WARNING, pointer,
             "no operation that the rule is about has this in its body: the condition sees nothing there");
}

static void check_conditions(const struct linking *linking, const struct rule *rule,
                             const struct conditions *conditions, const char *list)
{
    for (uint32_t i = 0; i < conditions->count; i++)
        check_condition(linking, rule, &conditions->items[i], list, i);
}

bool policy_link(struct policy *policy, const struct contract *contract, const struct document *document,
                 struct problems *problems)
{
    struct linking linking = {
        .policy = policy, .contract = contract, .document = document, .problems = problems};
    size_t errors = problems->errors;

    linking.operations = contract_operations(contract, &linking.count);
    for (uint32_t i = 0; i < policy->rule_count; i++) {
        struct rule *rule = &policy->rules[i];
        if (!set_operations(&linking, rule))
            return false;
        check_conditions(&linking, rule, &rule->when, "when");
        check_conditions(&linking, rule, &rule->unless, "unless");
    }
    if (problems->errors > errors)
        return false;
    rule_index_free(policy->rule_index);
    policy->rule_index = rule_index_new(policy, contract);
    if (policy->rule_index == NULL)
        note(&linking, SEVERITY_ERROR, "", "out of memory");
    return policy->rule_index != NULL;
}
