/* Links in answers: those that point at the upstream are made to point at the gate, so that no client is led
 * round it.
 *
 * A link points at the upstream when it is absolute (http or https, or begins with "//") and names the
 * upstream's host: without case, whatever its user information, a missing port being the scheme's own. On the
 * default ports http and https are taken for one place: the one redirects to the other. Only what stands
 * before the path is replaced; path, query and fragment stay byte for byte. Readers as lenient as browsers
 * are provided for (spaces in front, backslashes for slashes, too many slashes). */
#ifndef POLICIES_LINKS_H
#define POLICIES_LINKS_H

#include "policies/text.h"

#define LINKS_DEPTH 64 /* bound on the nesting of an answer that has to be read */

struct links_origin {
    struct span host; /* without brackets */
    unsigned port;
    bool tls;
};

/* A link alone, as in Location: appends it to `out` with `to` (such as "http://127.0.0.1:8080") in place of
 * the upstream's origin, and returns true. false, and nothing appended, when it does not point at the
 * upstream. */
bool link_rewrite(struct span link, const struct links_origin *from, const char *to, struct text *out);

/* A JSON answer: every member of an object named "links", at any depth, that is a string, or an object with a
 * string "href" (and what such an object links in turn). Nothing else is touched, not even spaces; members
 * with the same name are all rewritten. *changed tells whether there was anything: only then was something
 * appended to `out`. An answer that cannot hold such a link is not read any further. false and *fault
 * (static) when it had to be read and is not JSON, or when memory is out. */
bool links_rewrite(struct span json, const struct links_origin *from, const char *to, struct text *out,
                   bool *changed, const char **fault);

#endif
