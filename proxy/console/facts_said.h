/* What only the API knows of an integration, as a person says it: in a case, or to `explain`. */
#ifndef PROXY_CONSOLE_FACTS_SAID_H
#define PROXY_CONSOLE_FACTS_SAID_H

#include "policies/facts.h"
#include "proxy/console/strict.h"

/* Reads the members of the object (which is at the place):
 *
 *   "integration": {"attributes": {…}, "settings": {…}}   as it is before the change
 *   "radius": {"targets": 3, "projects": 17}              what a hard delete would orphan
 *
 * Each of the six may be "unknown", or be left out, which is the same: it could not be had. *facts borrows
 * from the object. */
void facts_said_read(struct strict *strict, const struct place *place, json_t *object, struct facts *facts);

#endif
