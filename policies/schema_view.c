#include "policies/schema_view.h"

static void view_add(struct view *view, const struct schema *schema)
{
    const struct branches *lists[] = {&schema->one_of, &schema->any_of, &schema->all_of};

    for (size_t i = 0; i < view->count; i++)
        if (view->list[i] == schema)
            return;
    if (view->count == VIEW_MAX) {
        view->overflow = true;
        return;
    }
    view->list[view->count++] = schema;
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < lists[i]->count; j++)
            view_add(view, lists[i]->list[j]);
}

struct view view_of(const struct schema *schema)
{
    struct view view = {.count = 0};

    if (schema != NULL)
        view_add(&view, schema);
    return view;
}

struct view view_below(const struct view *view, const char *name)
{
    struct view below = {.overflow = view->overflow};

    for (size_t i = 0; i < view->count; i++) {
        const struct schema *schema = name ? schema_member(view->list[i], name) : view->list[i]->items;
        if (schema != NULL)
            view_add(&below, schema);
    }
    return below;
}

bool view_names(const struct view *view, const char *name)
{
    for (size_t i = 0; i < view->count; i++)
        for (size_t j = 0; j < view->list[i]->property_count; j++)
            if (strcmp(view->list[i]->properties[j].name, name) == 0)
                return true;
    return false;
}

/* Does the name end in the word, letters compared without case and "_" and "-" passed over ("brokerToken",
 * "API-KEY")? */
static bool ends_in(const char *name, const char *word)
{
    size_t at = strlen(name), left = strlen(word);

    while (left > 0 && at > 0) {
        char c = name[--at];
        if (c == '_' || c == '-')
            continue;
        if (ascii_lower(c) != word[--left])
            return false;
    }
    return left == 0;
}

bool name_is_secret(const char *name)
{
    static const char *const words[] = {"token", "password", "secret", "apikey", "privatekey"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (ends_in(name, words[i]))
            return true;
    return false;
}

bool name_is_credentials(const char *name)
{
    return span_equal_nocase(span_of(name), span_of("credentials"));
}
