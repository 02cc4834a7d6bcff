#include "policies/place.h"

#include "policies/document.h"

#include <stdio.h>

static void place_write(const struct place *place, struct text *pointer)
{
    if (place == NULL || place->above == NULL)
        return;
    place_write(place->above, pointer);
    if (place->member != NULL)
        pointer_add(pointer, place->member);
    else
        text_add_format(pointer, "/%zu", place->element);
}

struct text place_pointer(const struct place *place)
{
    struct text pointer = {0};

    text_add(&pointer, "", 0);
    place_write(place, &pointer);
    return pointer;
}

const char *suggestion(const char *name, const char *const *known, char *room, size_t size)
{
    const char *nearest = nearest_name(name, known);

    if (nearest == NULL)
        return "";
    (void)snprintf(room, size, "; did you mean \"%s\"?", nearest);
    return room;
}
