/* UUIDs: read from text into one spelling, and made at random. */
#ifndef SANDBOX_UUID_H
#define SANDBOX_UUID_H

#include "policies/span.h"

#include <stdint.h>

#define UUID_LENGTH 36

/* Where random UUIDs come from: fast, unique enough for identifiers, no good for secrets. */
struct uuid_source {
    uint64_t state;
};

/* Seeds the source from the kernel. */
void uuid_source_init(struct uuid_source *source);

/* A random UUID (version 4) in lower case. */
void uuid_make(struct uuid_source *source, char uuid[UUID_LENGTH + 1]);

/* Reads a UUID of any letter case into its lower-case spelling; false when the text is none. */
bool uuid_read(struct span text, char uuid[UUID_LENGTH + 1]);

#endif
