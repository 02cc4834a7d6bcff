/* The state: organisations with their integrations, targets and projects. Credentials are never kept.
 *
 * A shelf holds records in the order in which they were made. Each has a number that grows within its
 * organisation and is never used again, so that a cursor stays good when the record that it names is gone. */
#ifndef SANDBOX_STORE_H
#define SANDBOX_STORE_H

#include "policies/text.h"
#include "tests/sandbox/catalogue.h"
#include "tests/sandbox/stamp.h"
#include "tests/sandbox/uuid.h"

/* The first member of every record. */
struct record {
    uint64_t number;
    char id[UUID_LENGTH + 1];
};

struct integration {
    struct record record;
    const struct integration_type *type;
    char *profile_name; /* NULL: made through V1 */
    bool has_broker;
    bool scan_enabled;
    char created_at[STAMP_SIZE];
    char updated_at[STAMP_SIZE]; /* "": never */
};

struct target {
    struct record record;
    char integration_id[UUID_LENGTH + 1]; /* "": orphaned */
    const struct integration_type *type;  /* of the integration that it came from */
    char *display_name;
    char created_at[STAMP_SIZE];
    bool unrelated;  /* the API leaves out what it is related to */
    size_t projects; /* how many name this target */
};

struct project {
    struct record record;
    char target_id[UUID_LENGTH + 1];
    char *name;
    char created_at[STAMP_SIZE];
};

struct shelf {
    struct record **records;
    size_t count;
    size_t capacity;
};

struct organization {
    char id[UUID_LENGTH + 1];
    uint64_t last_number;
    struct shelf integrations; /* of struct integration */
    struct shelf targets;      /* of struct target */
    struct shelf projects;     /* of struct project */
};

struct store {
    struct organization *organizations;
    size_t count;
};

/* Frees everything and leaves the store empty. */
void store_clear(struct store *store);

/* The organisation of that id; NULL when there is none. */
struct organization *store_organization(const struct store *store, const char *id);

/* Adds an empty organisation; NULL when memory is out. Pointers to the others become stale. */
struct organization *store_add_organization(struct store *store, const char *id);

/* The record of that id; NULL when there is none. */
void *shelf_find(const struct shelf *shelf, const char *id);

/* The integration of that profile name other than `except`; NULL when the name is free. */
const struct integration *store_name_taken(const struct organization *organization, const char *name,
                                           const struct integration *except);

/* Add a copy of the record with a number of its own. The strings of `from` are copied. NULL when memory is
 * out. */
struct integration *store_add_integration(struct organization *organization, const struct integration *from);
struct target *store_add_target(struct organization *organization, const struct target *from);
struct project *store_add_project(struct organization *organization, const struct project *from);

/* Remove and free a record. The targets of an integration stay as orphans, the projects of a target stay too.
 */
void store_remove_integration(struct organization *organization, struct integration *integration);
void store_remove_target(struct organization *organization, struct target *target);
void store_remove_project(struct organization *organization, struct project *project);

/* Appends the whole state as JSON, in the form of a fixtures file. */
void store_write(const struct store *store, struct text *out);

#endif
