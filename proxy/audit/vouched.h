/* What the log knows of manifests (service/manifest.h): the newest set of policy and contract that it was
 * written under, so that nobody can put an older one in force again without taking lines out of the log. The
 * record `policy` of such a set says it, and the header of every segment says it of the newest one before:
 * the newest segment is enough to know it. Internal to proxy/audit. */
#ifndef PROXY_AUDIT_VOUCHED_H
#define PROXY_AUDIT_VOUCHED_H

#include "proxy/audit/record.h"
#include "proxy/service/manifest.h"

/* Puts the manifest into a record; one with serial 0 is nothing. The texts are borrowed. */
void vouched_tell(const struct manifest *manifest, struct record_fields *fields);

/* Takes note of one line of the log: *newest becomes what the line tells, where that is newer. */
void vouched_note(struct manifest *newest, struct span line);

/* May a set with manifest `next` be put in force after `newest`? It must be newer, or the same one. False
 * with a message. */
bool vouched_may_follow(const struct manifest *newest, const struct manifest *next, char *error,
                        size_t error_size);

#endif
