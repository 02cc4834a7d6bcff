/* The values that a label of the metrics page has had so far: few, each met in the program's tables or the
 * contract, and never more than there is room for. One thread adds, any may read meanwhile. */
#ifndef PROXY_OBSERVE_LABEL_SET_H
#define PROXY_OBSERVE_LABEL_SET_H

#include "policies/span.h"

#include <stdatomic.h>

#define LABEL_SET_VALUES 64
#define LABEL_BYTES      64 /* longer values are cut, its NUL included */

/* A zeroed struct is empty. */
struct label_set {
    _Atomic unsigned count;
    unsigned last; /* found last: the writer's */
    char values[LABEL_SET_VALUES][LABEL_BYTES];
};

/* The place of a value; a new one is added while there are less than `most` (LABEL_SET_VALUES at most).
 * `most` is the place of all others. NULL is the value "none". The set's own thread only. */
unsigned label_set_find(struct label_set *set, unsigned most, const char *value);

/* How many there are. Any thread. */
static inline unsigned label_set_count(const struct label_set *set)
{
    return atomic_load_explicit(&set->count, memory_order_acquire);
}

/* The value at a place below `count`; "other" for any other place. */
const char *label_set_value(const struct label_set *set, unsigned place);

#endif
