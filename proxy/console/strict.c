#include "proxy/console/strict.h"

#include <stdarg.h>
#include <stdio.h>

#define NOTES_SHOWN 100
#define PIECE       200 /* bytes of a name that a message shows */

void strict_note(struct strict *strict, const struct place *place, const char *format, ...)
{
    struct text pointer = place_pointer(place);
    char message[512];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (strict->noted++ < NOTES_SHOWN && !pointer.failed)
        problems_add(strict->problems, SEVERITY_ERROR, strict->document, pointer.data, "%s", message);
    else
        strict->problems->errors++;
    text_free(&pointer);
}

void strict_members(struct strict *strict, const struct place *place, json_t *object,
                    const char *const *known)
{
    const char *name;
    json_t *value;
    char room[96];

    json_object_foreach (object, name, value) {
        const struct place here = {.above = place, .member = name};
        const char *const *at = known;
        while (*at != NULL && strcmp(*at, name) != 0)
            at++;
        if (*at == NULL)
            strict_note(strict, &here, "unknown member \"%.*s\"%s", PIECE, name,
                        suggestion(name, known, room, sizeof room));
    }
}

bool strict_object(struct strict *strict, const struct place *place, json_t *value, const char *const *known)
{
    if (!json_is_object(value)) {
        strict_note(strict, place, "must be an object");
        return false;
    }
    strict_members(strict, place, value, known);
    return true;
}

const char *strict_string(struct strict *strict, const struct place *above, json_t *object,
                          const char *member)
{
    const struct place place = {.above = above, .member = member};
    json_t *value = json_object_get(object, member);

    if (value != NULL && !json_is_string(value))
        strict_note(strict, &place, "must be a string");
    return json_string_value(value);
}

const char *strict_demand(struct strict *strict, const struct place *above, json_t *object,
                          const char *member)
{
    if (json_object_get(object, member) == NULL)
        strict_note(strict, above, "%s is missing", member);
    return strict_string(strict, above, object, member);
}

size_t strict_array(struct strict *strict, const struct place *place, json_t *value)
{
    if (!json_is_array(value))
        strict_note(strict, place, "must be an array");
    return json_array_size(value);
}

const char *strict_element(struct strict *strict, const struct place *array, json_t *value, size_t index)
{
    const struct place place = {.above = array, .element = index};
    const json_t *element = json_array_get(value, index);

    if (!json_is_string(element))
        strict_note(strict, &place, "must be a string");
    return json_string_value(element);
}

void strict_rest(struct strict *strict)
{
    if (strict->noted > NOTES_SHOWN)
        problems_add(strict->problems, SEVERITY_ERROR, strict->document, "", "%zu more errors are not shown",
                     strict->noted - NOTES_SHOWN);
}
