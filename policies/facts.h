/* What only the upstream knows and a rule may look at: the integration as it is before a change, and what a
 * hard delete of it would orphan. The judgement asks for facts (VERDICT_NEED); whoever called it gets them
 * and asks again. */
#ifndef POLICIES_FACTS_H
#define POLICIES_FACTS_H

#include <jansson.h>
#include <stdint.h>

/* Kinds of facts, for sets of them. Each kind is had with one question to the upstream. */
enum fact {
    FACT_INTEGRATION = 1u << 0, /* the attributes of the integration */
    FACT_SETTINGS = 1u << 1,    /* its settings */
    FACT_RADIUS = 1u << 2,      /* the targets and projects that hang on it */
};

/* A number of the radius. */
struct fact_number {
    enum { FACT_NUMBER_UNKNOWN, FACT_NUMBER_KNOWN } state; /* counted to the end, or not */
    uint64_t value;                                        /* with FACT_NUMBER_KNOWN */
};

/* A kind that stands in neither `had` nor `failed` has not been asked for yet. */
struct facts {
    unsigned had;    /* set of enum fact: asked for and answered */
    unsigned failed; /* asked for and not to be had: what rules see of it is unknown */

    json_t *attributes; /* `data.attributes`, an object; NULL: there are none. Borrowed. With
                           FACT_INTEGRATION among `had` */
    json_t *settings;   /* the same of the settings, with FACT_SETTINGS */
    struct fact_number targets, projects; /* with FACT_RADIUS */
};

#endif
