/* The documented forms of strings in request bodies. */
#ifndef SANDBOX_SHAPES_H
#define SANDBOX_SHAPES_H

#include <regex.h>
#include <stdbool.h>

enum shape { SHAPE_ANY, SHAPE_PROFILE, SHAPE_REGION, SHAPE_ROLE, SHAPE_HOST, SHAPE_TOKEN, SHAPES };

struct shapes {
    regex_t compiled[SHAPES];
    unsigned count;
};

/* Compiles the patterns; false when memory is out. shapes_close must be called either way. */
bool shapes_open(struct shapes *shapes);

/* Does the string have that form? */
bool shapes_match(const struct shapes *shapes, enum shape shape, const char *string);

/* Frees the patterns. */
void shapes_close(struct shapes *shapes);

#endif
