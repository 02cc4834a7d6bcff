/* What the files that compile a policy share: where in the document they are, and how they note what is wrong
 * there. */
#ifndef POLICIES_POLICY_COMPILER_H
#define POLICIES_POLICY_COMPILER_H

#include "policies/place.h"
#include "policies/policy_internal.h"

struct role {
    struct span name;
    permission_set permissions;
    bool used;
};

struct compiler {
    const struct document *document;
    struct problems *problems;
    struct policy *policy;
    size_t noted; /* problems noted so far, also those beyond what is shown */

    struct role *roles;
    uint32_t role_count;
    struct table roles_by_name;
    struct table rules_by_id;
    bool *granted; /* by principal: some grant allows it something */
};

/* Notes an error (a warning) at the place. */
void note_error(struct compiler *compiler, const struct place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void note_warning(struct compiler *compiler, const struct place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A warning of a kind (lint.h). */
void note_kind(struct compiler *compiler, const struct place *place, const char *code, const char *format,
               ...) __attribute__((format(printf, 4, 5)));
void note_memory(struct compiler *compiler);

/* Says how many problems were left out. */
void note_rest(struct compiler *compiler);

/* Is the value of that type? Notes an error otherwise. NULL is no value: false without a note. */
bool value_is(struct compiler *compiler, const struct place *place, const json_t *value, json_type type);

/* Notes an error for each member of the object that is not in `known` (NULL-terminated), and for a
 * "description" that is no string. */
void members_check(struct compiler *compiler, const struct place *place, json_t *object,
                   const char *const *known);

/* A string value as a span. */
struct span string_span(const json_t *string);

/* A copy that the policy owns; NULL (and noted) when memory is out. */
const char *policy_copy(struct compiler *compiler, struct span text);

/* Reads an `upstream_token` member of the object: the index of its credential, CREDENTIAL_OWN without one. */
int credential_compile(struct compiler *compiler, const struct place *above, json_t *object);

/* Reads a `rate_limit` member of the object into *limit; false, and nothing is changed, without one. */
bool rate_limit_compile(struct compiler *compiler, const struct place *above, json_t *object,
                        struct rate_limit *limit);

/* Reads a `break_glass` member of the object; no requests without one. */
struct rate_limit break_glass_compile(struct compiler *compiler, const struct place *above, json_t *object);

/* Reads the members `not_before` and `not_after` of the object: the index of its term. */
uint32_t term_compile(struct compiler *compiler, const struct place *above, json_t *object);

/* A member of the object that must be there and be a whole number from `least` to `most`; 0, and noted,
 * otherwise.
 */
unsigned number_compile(struct compiler *compiler, const struct place *above, json_t *object,
                        const char *name, unsigned least, unsigned most);

/* Notes that nothing has the name, and which member of that section of the document comes nearest. `what` is
 * "principal", say. */
void note_unknown(struct compiler *compiler, const struct place *place, const char *what, const char *section,
                  const char *name);

/* Each compiles one member of the document; a missing one is NULL. */
void versions_compile(struct compiler *compiler, const struct place *root, json_t *value);
void principals_compile(struct compiler *compiler, const struct place *root, json_t *value);
void oauth_compile(struct compiler *compiler, const struct place *root, json_t *value); /* before them */
void owners_compile(struct compiler *compiler, const struct place *root, json_t *principals); /* after that */
void roles_compile(struct compiler *compiler, const struct place *root, json_t *value);
void audit_compile(struct compiler *compiler, const struct place *root, json_t *value);
void organizations_compile(struct compiler *compiler, const struct place *root, json_t *value);
void rules_compile(struct compiler *compiler, const struct place *root, json_t *value); /* after principals */
void reconcile_compile(struct compiler *compiler, const struct place *root, json_t *value);

/* Reads a member `enforcement` of the object. */
enum enforcement enforcement_compile(struct compiler *compiler, const struct place *above, json_t *object);

/* Reads a principal's member `subjects`. */
void subjects_compile(struct compiler *compiler, const struct place *above, json_t *value,
                      uint32_t principal);

/* Warns of OAuth that nobody can use. */
void oauth_check(struct compiler *compiler, const struct place *root);

/* Makes the table of the grants, once all are read. */
void grants_index(struct policy *policy);

/* Warns of principals without a grant and of roles that nobody has. */
void unused_check(struct compiler *compiler, const struct place *root);

/* Warns of principals that may come in without a token, and of whom the gate has nothing to present then. */
void unheld_check(struct compiler *compiler, const struct place *root);

/* Reads how a principal shows who it is: its members `tokens`, `subjects`, `certificates` and
 * `identity`. */
void identity_compile(struct compiler *compiler, const struct place *place, json_t *value,
                      uint32_t principal);

#endif
