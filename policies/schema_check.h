/* What the files share that check a value against a schema. */
#ifndef POLICIES_SCHEMA_CHECK_H
#define POLICIES_SCHEMA_CHECK_H

#include "policies/schema_internal.h"

/* Where the walk through a value is: a chain on the stack, made into a pointer only when something is wrong.
 * NULL is the whole value. */
struct place {
    const struct place *up;
    const char *name; /* of the member; NULL: an element */
    size_t index;
};

struct check {
    const struct schema *root; /* of the whole value */
    struct pattern_scratch *scratch;
    struct arena *arena;
    struct findings *findings;
    size_t steps; /* left: a bound on the work that alternatives within alternatives can make */
    bool failed;  /* memory is out */
};

/* Appends a finding, a sentence that quotes no value. */
void check_report(struct check *check, const struct place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* No room for more findings? */
bool check_is_full(const struct check *check);

/* Checks a value against a schema. */
void check_value(struct check *check, const struct schema *schema, json_t *value, const struct place *place);

/* … against oneOf and anyOf. */
void check_alternatives(struct check *check, const struct schema *schema, json_t *value,
                        const struct place *place);

/* Reports that the value is of none of these kinds. */
void check_report_kind(struct check *check, unsigned kinds, const struct place *place);

/* The values allowed, as they may be shown: the contract is no secret. In the arena. */
const char *check_list(struct check *check, const char *const *names, size_t count);

/* Reports that the member in that place is not allowed; `nearest` is a name that may be meant, or NULL. */
void check_report_unknown(struct check *check, const struct place *place, const char *nearest);

#endif
