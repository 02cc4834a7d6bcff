/* What the gate found out about one integration before a change: the integration and its settings as they
 * were, and what hangs on it. Made by an inquiry (inquiry.h), never changed once it is handed out, counted:
 * an exchange holds what its decision and its records speak of, and a pending approval may hold the same. */
#ifndef PROXY_WORKER_SURVEY_H
#define PROXY_WORKER_SURVEY_H

#include "policies/facts.h"
#include "policies/schema.h"
#include "proxy/upstream/reading.h"
#include "proxy/upstream/upstream.h"

#include <stdatomic.h>

#define SURVEY_TARGETS 500 /* whose ids are kept; more are counted */

/* A target that hangs on the integration. */
struct survey_target {
    char id[READING_ID];
    struct fact_number projects;
};

/* Why there is less than was asked for. */
struct survey_failure {
    const char *why;            /* a sentence's part, static; NULL: nothing is missing */
    int status;                 /* that the API answered; 0 without an answer */
    enum upstream_failure kind; /* without an answer */
    int64_t wait_s;             /* what the API asks to wait with a 429; -1 otherwise */
};

struct survey {
    atomic_uint references;
    struct facts facts;             /* points into the two below */
    bool absent;                    /* the API does not show it: 404 */
    json_t *integration, *settings; /* the resource objects; NULL: not had, or none */
    struct survey_failure failure;  /* of the integration or its settings */
    struct survey_failure unknown;  /* why the radius is not known */
    struct survey_target *targets;
    size_t target_count; /* of these; facts.targets counts all */
    unsigned reads;      /* requests that it took */
};

/* Empty, with one reference; NULL when memory is out. */
struct survey *survey_new(void);

/* One reference more / less. Any thread. NULL is allowed. */
struct survey *survey_hold(struct survey *survey);
void survey_release(struct survey *survey);

/* Why the API would not delete it, or should not be asked to. */
enum delete_obstacle {
    DELETE_POSSIBLE,
    DELETE_BROKERED,    /* its broker has to be switched off first */
    DELETE_NO_REGISTRY, /* it is no container registry */
    DELETE_UNDESCRIBED, /* the answer does not say what it is */
};

enum delete_obstacle survey_obstacle(const struct survey *survey);

/* The integration's type, for people; "" without one. */
const char *survey_type(const struct survey *survey);

/* Appends canonical JSON: {"integration":…,"settings":…}, secrets masked (though answers hold none). */
void survey_write_before(const struct survey *survey, schema_mask *mask, void *key, struct text *out);

/* Appends canonical JSON: {"detail":…,"known":…,"listed":[{"id":…,"projects":…}],"projects":…,"targets":…}.
 * What is not known is left out. */
void survey_write_radius(const struct survey *survey, struct text *out);

/* Appends a JSON array of the JSON pointers of the attributes that differ (below /attributes), or that only
 * one of the two has, in the order of their names. */
void survey_write_changed(json_t *before, json_t *after, struct text *out);

#endif
