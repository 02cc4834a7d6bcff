/* Places in an operator's JSON document, and what is said of them. */
#ifndef POLICIES_PLACE_H
#define POLICIES_PLACE_H

#include "policies/text.h"

/* A place in the document: a chain of frames on the stack, spelled out as a JSON pointer only where something
 * is wrong. */
struct place {
    const struct place *above; /* NULL for the document */
    const char *member;        /* NULL for an element of an array */
    size_t element;
};

/* The text at the place as a JSON pointer; text_free it. */
struct text place_pointer(const struct place *place);

/* "; did you mean "…"?" for the nearest known name, else "". In `room`. */
const char *suggestion(const char *name, const char *const *known, char *room, size_t size);

#endif
