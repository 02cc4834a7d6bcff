/* The upstream credentials that the gate holds for its clients: read from files and environment variables,
 * kept in memory that is locked, left out of core dumps and wiped when it is given back. Immutable once
 * loaded. */
#ifndef PROXY_SERVICE_CREDENTIALS_H
#define PROXY_SERVICE_CREDENTIALS_H

#include "policies/policy.h"

struct credentials;

/* Reads all credentials that the policy names; a file's path is relative to that of the policy. What is wrong
 * is an error, or a warning where they are not `needed`. NULL when a needed one is wrong, or memory is out.
 */
struct credentials *credentials_load(const struct policy *policy, const struct document *policy_document,
                                     const char *policy_path, bool needed, struct problems *problems);
void credentials_free(struct credentials *credentials);

/* The Authorization value that presents credential `index`: "Token <secret>". Empty where there is none.
 * Borrowed. */
struct span credentials_get(const struct credentials *credentials, size_t index);

#endif
