/* What the upstream says about the version it serves, for each operation: a change is logged once and shown
 * as a metric, because a sunset that nobody read is an outage with a date. */
#ifndef PROXY_OBSERVE_VERSION_WATCH_H
#define PROXY_OBSERVE_VERSION_WATCH_H

#include "policies/request.h"
#include "policies/text.h"
#include "proxy/observe/counters.h"

#define VERSION_FACTS      4  /* snyk-version-served, snyk-version-lifecycle-stage, sunset, deprecation */
#define VERSION_FACT_BYTES 40 /* longer values are cut: they are dates and words */

struct version_watch;
struct version_seen; /* one worker's copy, so that an answer like the last one takes no lock */

struct version_watch *version_watch_new(_Atomic unsigned long *changes);
void version_watch_free(struct version_watch *watch);

struct version_seen *version_seen_new(struct version_watch *watch);
void version_seen_free(struct version_seen *seen);

/* Looks at an answer's fields. An answer that names no served version (an error of something in between) says
 * nothing. */
void version_seen_answer(struct version_seen *seen, const char *operation, const struct field *fields,
                         size_t count);

/* Appends portcullis_upstream_version_info{operation,served,stage,sunset,deprecation} 1 for each operation
 * seen. */
void version_watch_write(struct version_watch *watch, struct text *out);

#endif
