/* One line of the journal taken apart without a JSON parser: its members as they stand in the text, and
 * whether it has the canonical form that the journal writes (compact, members sorted, nothing escaped that
 * need not be). Allocates nothing. */
#ifndef PROXY_AUDIT_SCAN_H
#define PROXY_AUDIT_SCAN_H

#include "policies/span.h"

#include <stdint.h>

#define SCAN_MEMBERS 96 /* records have far fewer */
#define SCAN_DEPTH   128

struct scan_member {
    struct span name;  /* without its quotes */
    struct span value; /* JSON as it stands in the line */
};

struct scan {
    struct scan_member members[SCAN_MEMBERS];
    size_t count;
    const char *fault; /* the first thing that is not as the journal writes it (static); NULL: none */
    size_t at;         /* where in the line, from 0 */
};

/* Reads a line. False when it is no JSON object, or one with white space; `members` then holds those before
 * the fault. True with a fault: it can be read, but the journal would not have written it so. */
bool scan_line(struct span line, struct scan *scan);

/* The member's value; data NULL when there is none. */
struct span scan_find(const struct scan *scan, const char *name);

/* What a string's value says, its escapes left as they are; data NULL for any other value. */
struct span scan_text(struct span value);

/* A whole number that is not negative and below 2^53. */
bool scan_number(struct span value, uint64_t *number);

/* Walks the elements of an array's value: *at begins as 0. False behind the last, or when it is no array. The
 * value must have come from scan_line. */
bool scan_element(struct span array, size_t *at, struct span *element);

#endif
