/* The keywords that hold other schemas: members, elements, branches and what chooses between them. */
#include "policies/schema_compiler.h"

#include <stdio.h>

void read_properties(const struct reading *reading)
{
    struct schema *schema = reading->schema;
    const char *name;
    json_t *member;

    if (!json_is_object(reading->value)) {
        complain(reading->compiler, reading->pointer, NULL,
                 "an object was expected: a schema for each member");
        return;
    }
    schema->properties =
        compiler_take(reading->compiler, json_object_size(reading->value) + 1, sizeof *schema->properties);
    if (schema->properties == NULL)
        return;
    json_object_foreach (reading->value, name, member) {
        struct property *property = &schema->properties[schema->property_count];
        property->name = compiler_string(reading->compiler, name);
        if (property->name == NULL)
            return;
        schema->property_count++;
        property->schema = compile_below(reading->compiler, reading->pointer, name);
    }
}

void read_required(const struct reading *reading)
{
    struct schema *schema = reading->schema;
    size_t index;
    json_t *element;

    if (!json_is_array(reading->value)) {
        complain(reading->compiler, reading->pointer, NULL, "an array of member names was expected");
        return;
    }
    schema->required =
        compiler_take(reading->compiler, json_array_size(reading->value) + 1, sizeof *schema->required);
    if (schema->required == NULL)
        return;
    json_array_foreach (reading->value, index, element) {
        if (json_is_string(element))
            schema->required[schema->required_count++] =
                compiler_string(reading->compiler, json_string_value(element));
        else
            complain(reading->compiler, reading->pointer, NULL, "an array of member names was expected");
    }
}

void read_additional(const struct reading *reading)
{
    struct schema *schema = reading->schema;

    if (json_is_boolean(reading->value)) {
        schema->additional = json_is_true(reading->value) ? ADDITIONAL_ANY : ADDITIONAL_NONE;
        return;
    }
    schema->additional = ADDITIONAL_SCHEMA;
    schema->additional_schema = compile_below(reading->compiler, reading->pointer, NULL);
}

void read_schema(const struct reading *reading)
{
    const struct schema **field = reading->field;

    *field = compile_below(reading->compiler, reading->pointer, NULL);
}

void read_branches(const struct reading *reading)
{
    struct branches *branches = reading->field;
    size_t count = json_array_size(reading->value);

    if (count == 0) {
        complain(reading->compiler, reading->pointer, NULL, "an array of one schema at least was expected");
        return;
    }
    branches->list = compiler_take(reading->compiler, count, sizeof(struct schema *));
    for (; branches->list != NULL && branches->count < count; branches->count++) {
        char token[24];
        (void)snprintf(token, sizeof token, "%zu", branches->count);
        branches->list[branches->count] = compile_below(reading->compiler, reading->pointer, token);
    }
}

static bool branches_hold(const struct branches *branches, const struct schema *schema)
{
    for (size_t i = 0; i < branches->count; i++)
        if (branches->list[i] == schema)
            return true;
    return false;
}

static bool is_chosen(const struct schema *schema, const struct schema *branch)
{
    for (size_t i = 0; i < schema->choice_count; i++)
        if (schema->choices[i].branch == branch)
            return true;
    return false;
}

static void add_choice(const struct reading *reading, const char *value, struct schema *branch)
{
    struct schema *schema = reading->schema;
    const char *copy = compiler_string(reading->compiler, value);

    if (copy != NULL)
        schema->choices[schema->choice_count++] = (struct choice){copy, branch};
}

/* One row of the mapping: `target` is a reference, or the bare name of a schema. */
static void read_choice(const struct reading *mapping, const struct branches *branches, const char *value,
                        const char *target)
{
    struct text pointer = {0};

    if (target != NULL && strpbrk(target, "#/") == NULL) {
        text_add_string(&pointer, "/components/schemas");
        pointer_add(&pointer, target);
    } else if (target == NULL || !reference_pointer(target, &pointer)) {
        complain(mapping->compiler, mapping->pointer, value,
                 "the name of a schema, or a reference to it, was expected");
        text_free(&pointer);
        return;
    }
    json_t *root = mapping->compiler->set->document->root;
    struct schema *branch = NULL;
    if (!pointer.failed && pointer_get(root, pointer.data) != NULL)
        branch = compile_below(mapping->compiler, &pointer, NULL);
    if (branch == NULL || !branches_hold(branches, branch))
        complain(mapping->compiler, mapping->pointer, value, "this leads to none of the alternatives");
    else
        add_choice(mapping, value, branch);
    text_free(&pointer);
}

/* A branch without a row is chosen by its schema's own name. */
static void choose_by_name(const struct reading *reading, const struct branches *branches,
                           const char *keyword)
{
    static const char prefix[] = "#/components/schemas/";
    json_t *list = json_object_get(reading->value, keyword);

    for (size_t i = 0; i < branches->count; i++) {
        const char *reference = json_string_value(json_object_get(json_array_get(list, i), "$ref"));
        if (branches->list[i] == NULL || is_chosen(reading->schema, branches->list[i]))
            continue;
        if (reference != NULL && strncmp(reference, prefix, sizeof prefix - 1) == 0)
            add_choice(reading, reference + sizeof prefix - 1, branches->list[i]);
        else
            complain(reading->compiler, reading->pointer, "discriminator",
                     "nothing chooses alternative %zu of \"%s\"", i, keyword);
    }
}

/* The members of the Discriminator Object: the mapping, or NULL. false when they are wrong. */
static bool check_discriminator(const struct reading *discriminator, json_t **mapping)
{
    const char *name;
    json_t *member;
    bool right = true;

    *mapping = NULL;
    json_object_foreach (discriminator->value, name, member) {
        if (strcmp(name, "mapping") == 0 && json_is_object(member)) {
            *mapping = member;
        } else if (strcmp(name, "propertyName") != 0 && strncmp(name, "x-", 2) != 0) {
            complain(discriminator->compiler, discriminator->pointer, name, "\"%s\" is not understood here",
                     name);
            right = false;
        }
    }
    if (!json_is_string(json_object_get(discriminator->value, "propertyName"))) {
        complain(discriminator->compiler, discriminator->pointer, NULL,
                 "\"propertyName\" with a member's name is missing");
        right = false;
    }
    return right;
}

void read_discriminator(const struct reading *reading)
{
    struct schema *schema = reading->schema;
    const struct branches *branches = schema->one_of.count > 0 ? &schema->one_of : &schema->any_of;
    const char *keyword = branches == &schema->one_of ? "oneOf" : "anyOf";
    struct text pointer = {0};
    json_t *mapping, *target;
    const char *value;

    text_add(&pointer, reading->pointer->data, reading->pointer->length);
    pointer_add(&pointer, "discriminator");
    struct reading inner = *reading;
    inner.value = json_object_get(reading->value, "discriminator");
    inner.pointer = &pointer;
    if (schema->one_of.count > 0 ? schema->any_of.count > 0 : schema->any_of.count == 0) {
        complain(reading->compiler, &pointer, NULL,
                 "a discriminator needs either \"oneOf\" or \"anyOf\" beside it");
    } else if (check_discriminator(&inner, &mapping)) {
        schema->choices = compiler_take(reading->compiler, json_object_size(mapping) + branches->count,
                                        sizeof *schema->choices);
        schema->discriminator = compiler_string(
            reading->compiler, json_string_value(json_object_get(inner.value, "propertyName")));
        if (schema->choices != NULL) {
            pointer_add(&pointer, "mapping");
            json_object_foreach (mapping, value, target) {
                read_choice(&inner, branches, value, json_string_value(target));
            }
            choose_by_name(reading, branches, keyword);
        }
    }
    text_free(&pointer);
}
