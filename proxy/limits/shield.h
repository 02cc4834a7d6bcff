/* Credentials that the upstream has answered 429: until the time that it asked for is over, requests with
 * them are answered here. Shared by all workers: looking takes no lock, and costs one load while no
 * credential is shielded.
 *
 * A credential is known by a keyed fingerprint (upstream/owner.h) alone. Memory is fixed: when more
 * credentials are shielded than there is room for, the one whose time is over first gives way. */
#ifndef PROXY_LIMITS_SHIELD_H
#define PROXY_LIMITS_SHIELD_H

#include "proxy/upstream/owner.h"

#include <stdbool.h>

#define SHIELD_ROOM 1024 /* credentials at a time, about: they share sets of eight */

struct shield;

/* `standard_s`: how long where the upstream does not say, or nothing that makes sense; `most_s`: however
 * long it asks for. 0 for most_s: nothing is ever shielded. NULL when memory is out. */
struct shield *shield_new(unsigned standard_s, unsigned most_s);
void shield_free(struct shield *shield);

/* The fingerprint of an Authorization value's secret, whatever its scheme. */
struct upstream_owner shield_fingerprint(const struct shield *shield, struct span authorization);

/* Was anything ever shielded? Else nobody needs to know what time it is. */
bool shield_is_up(const struct shield *shield);

/* How long in microseconds requests with this credential are answered here still; 0: not at all. `now_us` is
 * monotonic. */
int64_t shield_left(const struct shield *shield, const struct upstream_owner *credential, int64_t now_us);

/* The upstream answered 429 now: `asked_s` is what it wants of the client (retry_after_read; -1 for
 * nothing). *seconds is for how long the credential is shielded from now on. True when it was not before. A
 * longer time that runs already stays. */
bool shield_open(struct shield *shield, const struct upstream_owner *credential, int64_t asked_s,
                 int64_t now_us, int64_t *seconds);

#endif
