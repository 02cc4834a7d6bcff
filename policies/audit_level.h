/* How much the journal is told of a request, by operation: the policy says it ("audit": {"levels": …}),
 * within bounds that the contract's effects set. */
#ifndef POLICIES_AUDIT_LEVEL_H
#define POLICIES_AUDIT_LEVEL_H

#include "policies/problems.h"

struct contract;
struct operation;
struct policy;

enum audit_level {
    AUDIT_NONE,     /* no record */
    AUDIT_METADATA, /* no bodies */
    AUDIT_REQUEST,  /* the request's body, its secrets masked */
    AUDIT_ANSWER,   /* the answer's body too */
    AUDIT_LEVELS,
};

/* "none", "metadata", "request", "request-response"; and back (false for another word). */
const char *audit_level_name(enum audit_level level);
bool audit_level_named(struct span name, enum audit_level *level);

/* The level of an operation: its own row in the policy, else that of "*", else "none" for a read and
 * "request" for a change. Never below what the operation's effect demands: "metadata" for a change, "request"
 * for a hard delete. */
enum audit_level audit_level_of(const struct policy *policy, const struct operation *operation);

/* Notes rows that name no operation of the contract, or are lower than an operation's effect demands.
 * `document` is the policy's. */
void audit_levels_check(const struct policy *policy, const struct contract *contract,
                        const struct document *document, struct problems *problems);

#endif
