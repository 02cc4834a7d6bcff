/* What was moved in a list: the fewest items that have to go to another place, so that a rule put in front
 * of a thousand moves none of them. Those that stay are a longest run of rising places (patience sorting). */
#include "policies/diff_internal.h"

#include <stdlib.h>

#define NOBODY UINT32_MAX

/* Of the runs of each length the one that ends lowest: where it ends, and for each item the one before it. */
struct runs {
    uint32_t *ends, *before;
    size_t longest;
};

/* The shortest length of run that ends at or above the place: there the item ends a lower one. */
static size_t length_for(const struct runs *runs, const uint32_t *places, uint32_t place)
{
    size_t low = 0, high = runs->longest;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (places[runs->ends[middle]] < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool diff_moved(const uint32_t *places, size_t count, bool *moved)
{
    struct runs runs = {.ends = calloc(count + 1, sizeof *runs.ends),
                        .before = calloc(count + 1, sizeof *runs.before)};
    bool made = runs.ends != NULL && runs.before != NULL;

    for (uint32_t i = 0; made && i < count; i++) {
        size_t length = length_for(&runs, places, places[i]);
        runs.before[i] = length > 0 ? runs.ends[length - 1] : NOBODY;
        runs.ends[length] = i;
        runs.longest += length == runs.longest;
        moved[i] = true;
    }
    for (uint32_t i = made && runs.longest > 0 ? runs.ends[runs.longest - 1] : NOBODY; i != NOBODY;
         i = runs.before[i])
        moved[i] = false;
    free(runs.ends);
    free(runs.before);
    return made;
}
