/* Cutting a file off without losing what is cut off. Internal to proxy/audit. */
#ifndef PROXY_AUDIT_CUT_H
#define PROXY_AUDIT_CUT_H

#include "proxy/audit/directory.h"

#include <sys/types.h>

/* Name of the side file: "<segment>.cut-<time>.<microseconds>" and its NUL. */
#define CUT_NAME (SEGMENT_NAME + 5 + DIRECTORY_TIME + 7)

/* Moves what lies behind the first `whole` bytes of a segment (fd is open on it) into a new file beside it,
 * both durable. False (errno): the file may then still be whole. */
bool cut_off(const struct directory *directory, const char *segment, int fd, off_t whole,
             char side[static CUT_NAME]);

/* Is this the name of a side file, which begins with its segment's (SEGMENT_NAME - 1 bytes)? */
bool cut_is(const char *name);

/* Is this the name of a side file of the segment? */
bool cut_is_of(const char *name, const char *segment);

#endif
