#include "tests/sandbox/shapes.h"

#include <stddef.h>

#define LABEL "[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?" /* of a host name */

bool shapes_open(struct shapes *shapes)
{
    /* As the API documents them; \d is written out. */
    static const char *const patterns[SHAPES] = {
        [SHAPE_ANY] = "",
        [SHAPE_PROFILE] = "^[a-zA-Z0-9][a-zA-Z0-9 _.-]*$",
        [SHAPE_REGION] = "^[a-z]{2}-[a-z]+-[0-9]$",
        [SHAPE_ROLE] = "^arn:aws:iam::[0-9]{12}:role/.+$",
        [SHAPE_HOST] = "^" LABEL "(\\." LABEL ")*$",
        [SHAPE_TOKEN] = "^[a-zA-Z0-9_-]+$",
    };

    for (shapes->count = 0; shapes->count < SHAPES; shapes->count++)
        if (regcomp(&shapes->compiled[shapes->count], patterns[shapes->count], REG_EXTENDED | REG_NOSUB) != 0)
            return false;
    return true;
}

bool shapes_match(const struct shapes *shapes, enum shape shape, const char *string)
{
    return regexec(&shapes->compiled[shape], string, 0, NULL, 0) == 0;
}

void shapes_close(struct shapes *shapes)
{
    while (shapes->count > 0)
        regfree(&shapes->compiled[--shapes->count]);
}
