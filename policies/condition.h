/* One condition of a rule: a place in what is known of a request, and a test of what stands there. */
#ifndef POLICIES_CONDITION_H
#define POLICIES_CONDITION_H

#include "policies/network.h"
#include "policies/pattern.h"

#include <stddef.h>
#include <stdint.h>

/* What of a request a condition looks at: the first segments of its pointer. */
enum subject {
    SUBJECT_VERSION,
    SUBJECT_STABILITY,
    SUBJECT_CLIENT,
    SUBJECT_TIME,
    SUBJECT_BODY,
    SUBJECT_ID,         /* /integration/id */
    SUBJECT_ATTRIBUTES, /* /integration/attributes */
    SUBJECT_SETTINGS,   /* /integration/settings */
    SUBJECT_TARGETS,    /* /radius/targets */
    SUBJECT_PROJECTS,   /* /radius/projects */
    SUBJECTS
};

enum test {
    TEST_IN,      /* "equals" is one of a single value */
    TEST_MATCHES, /* a pattern is found */
    TEST_EXISTS,
    TEST_ABOVE,
    TEST_WITHIN, /* networks */
    TEST_DURING, /* windows of time */
};

/* A value that JSON writes without brackets. */
struct scalar {
    enum { SCALAR_NULL, SCALAR_BOOLEAN, SCALAR_INTEGER, SCALAR_REAL, SCALAR_STRING } kind;
    union {
        bool truth;
        int64_t integer;
        double real;
        struct span string;
    };
};

/* A window of time, in UTC. */
struct window {
    unsigned days;         /* bit 0: Monday … bit 6: Sunday; of the day on which the window begins */
    unsigned from, to;     /* minutes of the day, from ≤ t < to; to ≤ from goes on until the next day */
    bool timed;            /* from and to are given; otherwise whole days */
    int64_t after, before; /* seconds since the epoch, after ≤ t < before */
};

struct condition {
    enum subject subject;
    const char *at;           /* the pointer as the file has it */
    const char *const *below; /* its segments behind the subject, decoded; NULL-terminated */
    enum test test;
    uint32_t count; /* of values, networks or windows */
    union {
        const struct scalar *values;
        struct pattern *pattern;
        bool exists;
        int64_t above;
        struct network *networks;
        const struct window *windows;
    };
};

struct conditions {
    const struct condition *items;
    uint32_t count;
};

#endif
