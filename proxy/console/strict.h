/* An operator's JSON read strictly by a command: what is unknown or of another type is an error with its
 * place. */
#ifndef PROXY_CONSOLE_STRICT_H
#define PROXY_CONSOLE_STRICT_H

#include "policies/document.h"
#include "policies/place.h"

struct strict {
    const struct document *document;
    struct problems *problems;
    size_t noted; /* beyond a bound they are only counted */
};

/* Notes an error at the place (NULL: the document as a whole). */
void strict_note(struct strict *strict, const struct place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Notes each member of the object that is not in `known` (NULL-terminated). */
void strict_members(struct strict *strict, const struct place *place, json_t *object,
                    const char *const *known);

/* Is it an object? Then its members are looked at, too; otherwise that is noted. */
bool strict_object(struct strict *strict, const struct place *place, json_t *value, const char *const *known);

/* The member of the object below the place, a string; NULL without one, or where it is none. Demanded: that
 * there is none is noted. */
const char *strict_string(struct strict *strict, const struct place *above, json_t *object,
                          const char *member);
const char *strict_demand(struct strict *strict, const struct place *above, json_t *object,
                          const char *member);

/* How many elements it has; 0, noted, when it is no array. One of them, a string; NULL, noted, where it is
 * none. */
size_t strict_array(struct strict *strict, const struct place *place, json_t *value);
const char *strict_element(struct strict *strict, const struct place *array, json_t *value, size_t index);

/* Says how many errors were left out. */
void strict_rest(struct strict *strict);

#endif
