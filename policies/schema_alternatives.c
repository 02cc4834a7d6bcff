/* oneOf and anyOf: which alternative a value was meant for, and what is wrong with it then. */
#include "policies/schema_check.h"

static bool knows(const struct schema *branch, const char *name)
{
    return branch->additional != ADDITIONAL_NONE || schema_member(branch, name) != NULL;
}

static bool is_known_to_any(const struct branches *branches, const char *name)
{
    for (size_t i = 0; i < branches->count; i++)
        if ((branches->list[i]->kinds & KIND_OBJECT) != 0 && knows(branches->list[i], name))
            return true;
    return false;
}

/* Can the value have been meant for this branch? It is of its kind, and the branch knows every member that
 * any branch knows. */
static bool is_meant_for(const struct branches *branches, const struct schema *branch, json_t *value)
{
    const char *name;
    json_t *member;

    if ((branch->kinds & kind_of(value)) == 0)
        return false;
    json_object_foreach (value, name, member) {
        if (!knows(branch, name) && is_known_to_any(branches, name))
            return false;
    }
    return true;
}

static void append(struct check *check, struct findings *more)
{
    struct findings *findings = check->findings;

    for (struct finding *finding = more->first, *next; finding != NULL && !check_is_full(check);
         finding = next) {
        next = finding->next;
        finding->next = NULL;
        if (findings->last == NULL)
            findings->last = &findings->first;
        *findings->last = finding;
        findings->last = &finding->next;
        findings->count++;
    }
}

/* "region, role_arn; or username, password": the members of each branch */
static void report_members(struct check *check, const struct branches *branches, const struct place *place)
{
    struct text list = {0};

    for (size_t i = 0; i < branches->count; i++) {
        const struct schema *branch = branches->list[i];
        if (branch->property_count == 0)
            continue;
        text_add_string(&list, list.length > 0 ? "; or " : "");
        for (size_t j = 0; j < branch->property_count; j++)
            text_add_format(&list, "%s%s", j > 0 ? ", " : "", branch->properties[j].name);
    }
    check_report(check, place, "The members given belong to no single alternative. The alternatives: %s.",
                 list.data ? list.data : "none");
    text_free(&list);
}

/* The value was meant for no branch. */
static void report_no_branch(struct check *check, const struct branches *branches, json_t *value,
                             const struct place *place)
{
    const char *name;
    json_t *member;
    unsigned kinds = 0;

    for (size_t i = 0; i < branches->count; i++)
        kinds |= branches->list[i]->kinds;
    if ((kinds & kind_of(value)) == 0) {
        check_report_kind(check, kinds, place);
        return;
    }
    report_members(check, branches, place);
    json_object_foreach (value, name, member) {
        if (!is_known_to_any(branches, name))
            check_report_unknown(check, &(struct place){place, name, 0}, NULL);
    }
}

/* Tries every branch; returns how many fit. With none, *best has the findings of the branch that the value
 * was most likely meant for. */
static size_t try_branches(struct check *check, const struct branches *branches, json_t *value,
                           const struct place *place, struct findings *best)
{
    struct findings *findings = check->findings;
    size_t fitting = 0;

    *best = (struct findings){0};
    for (size_t i = 0; i < branches->count; i++) {
        struct findings own = {0};
        check->findings = &own;
        check_value(check, branches->list[i], value, place);
        if (own.count == 0)
            fitting++;
        else if (is_meant_for(branches, branches->list[i], value) &&
                 (best->count == 0 || own.count < best->count))
            *best = own;
    }
    check->findings = findings;
    return fitting;
}

static void check_branches(struct check *check, const struct branches *branches, bool exactly_one,
                           json_t *value, const struct place *place)
{
    struct findings best;

    if (branches->count == 0 || check_is_full(check))
        return;
    size_t fitting = try_branches(check, branches, value, place, &best);
    if (fitting > 1 && exactly_one)
        check_report(check, place, "The value fits more than one alternative, and must fit exactly one.");
    else if (fitting == 0 && best.count > 0)
        append(check, &best);
    else if (fitting == 0)
        report_no_branch(check, branches, value, place);
}

/* The member that chooses is looked at first, and only the branch that it chooses. */
static void check_chosen(struct check *check, const struct schema *schema, json_t *value,
                         const struct place *place)
{
    json_t *chooser = json_object_get(value, schema->discriminator);
    const char *chosen = json_string_value(chooser);
    const struct place here = {place, schema->discriminator, 0};

    if (!json_is_object(value)) {
        check_report_kind(check, KIND_OBJECT, place);
        return;
    }
    for (size_t i = 0; chosen != NULL && i < schema->choice_count; i++)
        if (strcmp(schema->choices[i].value, chosen) == 0) {
            check_value(check, schema->choices[i].branch, value, place);
            return;
        }

    const char **names = arena_take(check->arena, schema->choice_count * sizeof *names);
    for (size_t i = 0; names != NULL && i < schema->choice_count; i++)
        names[i] = schema->choices[i].value;
    check->failed |= names == NULL;
    const char *list = names ? check_list(check, names, schema->choice_count) : "";
    if (chooser == NULL)
        check_report(check, place, "The member \"%s\" is missing; it must be one of %s.",
                     schema->discriminator, list);
    else
        check_report(check, &here, "The value must be one of %s.", list);
}

void check_alternatives(struct check *check, const struct schema *schema, json_t *value,
                        const struct place *place)
{
    if (schema->discriminator != NULL) {
        check_chosen(check, schema, value, place);
        return;
    }
    check_branches(check, &schema->one_of, true, value, place);
    check_branches(check, &schema->any_of, false, value, place);
}
