/* Conditions on the state of a resource: If-Match (RFC 9110 §13.1.1). */
#ifndef POLICIES_ENTITY_TAG_H
#define POLICIES_ENTITY_TAG_H

#include "policies/request.h"

enum if_match {
    IF_MATCH_NONE,      /* the request has no If-Match */
    IF_MATCH_MALFORMED, /* neither "*" nor a list of entity tags */
    IF_MATCH_TRUE,
    IF_MATCH_FALSE,
};

/* Is the condition true for a resource that exists and has this entity tag (with its quotes)? Compared
 * strongly (§8.8.3.2): a weak tag is equal to none. Several fields are one list. */
enum if_match if_match_judge(const struct request *request, struct span tag);

#endif
