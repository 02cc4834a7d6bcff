/* Writes a body for the journal: canonical JSON in which no secret stands. What is not known to be harmless
 * is masked. */
#include "policies/schema_view.h"

#include <stdlib.h>

#define MASKS_MAX                                                                                            \
    32 /* of one object's or array's own members; beyond it the whole of it is one mask, so that no          \
          body grows much on its way into the journal */

/* How much of what is below here may be shown. */
enum showing {
    SHOW_ALL,       /* for the text that a mask is made of */
    SHOW_BY_NAME,   /* there is no schema: names decide */
    SHOW_BY_SCHEMA, /* names, and the schemas in view */
    SHOW_NAMES,     /* below "credentials", without a schema: names of members only */
    SHOW_KNOWN,     /* the same with one: names that it has; an object with others is one mask */
};

struct writer {
    schema_mask *mask;
    void *arg;
    struct text *out;
};

static void write_value(const struct writer *writer, json_t *value, enum showing showing,
                        const struct view *view);

/* Does the schema say what a value of this kind is? One without a type knows at most what the value holds. */
static bool schema_knows(const struct schema *schema, enum kind kind)
{
    if (kind == KIND_NULL && schema->nullable)
        return true;
    if ((schema->kinds & kind) == 0)
        return false;
    if (schema->type != NULL || schema->enumeration != NULL)
        return true;
    return (kind == KIND_OBJECT && schema->property_count > 0) ||
           (kind == KIND_ARRAY && schema->items != NULL);
}

/* May a value of this kind be shown? */
static bool view_shows(const struct view *view, enum kind kind)
{
    bool known = false;

    for (size_t i = 0; i < view->count; i++) {
        if (view->list[i]->secret)
            return false;
        known |= schema_knows(view->list[i], kind);
    }
    return known && !view->overflow;
}

static void write_mask(const struct writer *writer, json_t *value)
{
    struct text plain = {0};
    struct span secret = {json_string_value(value), json_string_length(value)};

    if (!json_is_string(value)) {
        write_value(&(struct writer){NULL, NULL, &plain}, value, SHOW_ALL, &no_view);
        secret = (struct span){plain.data, plain.length};
    }
    text_add(writer->out, "\"", 1);
    writer->mask(writer->arg, secret, writer->out);
    text_add(writer->out, "\"", 1);
    writer->out->failed |= plain.failed;
    text_wipe(&plain);
}

/* Is the member masked whole? The schemas do not know it, or its name speaks of a secret; true, false and
 * null are none. */
static bool is_hidden(const char *name, json_t *value, enum showing showing, const struct view *below)
{
    if (showing == SHOW_BY_SCHEMA && below->count == 0)
        return true;
    return name_is_secret(name) && !json_is_boolean(value) && !json_is_null(value);
}

static void write_member(const struct writer *writer, const char *name, json_t *value, enum showing showing,
                         const struct view *view)
{
    struct view below = {.count = 0};
    bool by_rule = showing == SHOW_BY_NAME || showing == SHOW_BY_SCHEMA;

    if (showing == SHOW_BY_SCHEMA || showing == SHOW_KNOWN)
        below = view_below(view, name);
    text_add_json(writer->out, span_of(name));
    text_add(writer->out, ":", 1);
    if (by_rule && is_hidden(name, value, showing, &below))
        write_mask(writer, value);
    else if (by_rule && name_is_credentials(name))
        write_value(writer, value, showing == SHOW_BY_SCHEMA ? SHOW_KNOWN : SHOW_NAMES, &below);
    else
        write_value(writer, value, showing, &below);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void write_object(const struct writer *writer, json_t *object, enum showing showing,
                         const struct view *view)
{
    size_t count = 0;
    const char *name;
    json_t *member;
    const char **names = calloc(json_object_size(object) + 1, sizeof *names);

    if (names == NULL) {
        writer->out->failed = true;
        return;
    }
    json_object_foreach (object, name, member) {
        names[count++] = name;
    }
    qsort(names, count, sizeof *names, compare_names);

    text_add(writer->out, "{", 1);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            text_add(writer->out, ",", 1);
        write_member(writer, names[i], json_object_get(object, names[i]), showing, view);
    }
    text_add(writer->out, "}", 1);
    free(names);
}

static void write_array(const struct writer *writer, json_t *array, enum showing showing,
                        const struct view *view)
{
    struct view below = {.count = 0};
    size_t index;
    json_t *element;

    if (showing == SHOW_BY_SCHEMA || showing == SHOW_KNOWN)
        below = view_below(view, NULL);
    text_add(writer->out, "[", 1);
    json_array_foreach (array, index, element) {
        if (index > 0)
            text_add(writer->out, ",", 1);
        write_value(writer, element, showing, &below);
    }
    text_add(writer->out, "]", 1);
}

static void write_scalar(struct text *out, json_t *value)
{
    char number[64];

    switch (json_typeof(value)) {
    case JSON_STRING:
        text_add_json(out, (struct span){json_string_value(value), json_string_length(value)});
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        text_add(out, number, json_dumpb(value, number, sizeof number, JSON_ENCODE_ANY | JSON_COMPACT));
        break;
    default:
        text_add_string(out, json_is_null(value) ? "null" : json_is_true(value) ? "true" : "false");
    }
}

/* Would more than MASKS_MAX of its own members be masked? */
static bool is_crowded(json_t *value, enum showing showing, const struct view *view)
{
    size_t members = json_is_object(value) ? json_object_size(value) : json_array_size(value), masks = 0;
    const char *name;
    json_t *member;

    if (members <= MASKS_MAX || showing == SHOW_ALL || showing == SHOW_BY_NAME)
        return false;
    if (showing == SHOW_NAMES || showing == SHOW_KNOWN)
        return true;
    if (json_is_array(value))
        return view_below(view, NULL).count == 0;
    json_object_foreach (value, name, member) {
        masks += view_below(view, name).count == 0;
        if (masks > MASKS_MAX)
            return true;
    }
    return false;
}

/* Has the object a member that no schema names? Its name may be a secret. */
static bool has_unknown_name(const struct view *view, json_t *value)
{
    const char *name;
    json_t *member;

    json_object_foreach (value, name, member) {
        if (!view_names(view, name))
            return true;
    }
    return false;
}

static void write_value(const struct writer *writer, json_t *value, enum showing showing,
                        const struct view *view)
{
    enum kind kind = kind_of(value);
    bool holds = kind == KIND_OBJECT || kind == KIND_ARRAY;
    bool masked = showing == SHOW_BY_SCHEMA ? !view_shows(view, kind)
                  : showing == SHOW_KNOWN   ? !holds || has_unknown_name(view, value)
                                            : showing == SHOW_NAMES && !holds;

    if (showing != SHOW_ALL && (masked || (holds && is_crowded(value, showing, view))))
        write_mask(writer, value);
    else if (kind == KIND_OBJECT)
        write_object(writer, value, showing, view);
    else if (kind == KIND_ARRAY)
        write_array(writer, value, showing, view);
    else
        write_scalar(writer->out, value);
}

void schema_write_masked(const struct schema *schema, json_t *value, schema_mask *mask, void *arg,
                         struct text *out)
{
    struct writer writer = {mask, arg, out};
    struct view view = view_of(schema);

    write_value(&writer, value, schema ? SHOW_BY_SCHEMA : SHOW_BY_NAME, &view);
}
