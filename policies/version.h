/* API versions: "2024-10-15", "2024-10-15~beta", "beta". */
#ifndef POLICIES_VERSION_H
#define POLICIES_VERSION_H

#include "policies/span.h"

#include <stdint.h>

enum stability { STABILITY_WIP, STABILITY_EXPERIMENTAL, STABILITY_BETA, STABILITY_GA, STABILITY_COUNT };

struct version {
    uint32_t date;            /* yyyymmdd; 0 for a bare stability word */
    enum stability stability; /* a bare date is STABILITY_GA; "work-in-progress" is STABILITY_WIP */
};

/* Reads a version by its form alone (digits and words; any two-digit month and day). false when it has
 * another form. */
bool version_parse(struct span text, struct version *version);

/* Is yyyymmdd a day of the (proleptic Gregorian) calendar? */
bool version_date_is_real(uint32_t date);

/* Reads a bare calendar date "YYYY-MM-DD" that is real; 0 otherwise. */
uint32_t version_date_parse(struct span text);

/* "ga", "beta", …; and back (false for an unknown word). */
const char *stability_name(enum stability stability);
bool stability_named(struct span name, enum stability *stability);

#endif
