/* UUIDs in text: 8-4-4-4-12 hex digits (RFC 9562 §4). */
#ifndef POLICIES_UUID_H
#define POLICIES_UUID_H

#include "policies/span.h"

#define UUID_BYTES     16
#define UUID_TEXT_SIZE 37 /* with its NUL */

/* Does the text have the form of a UUID, in any case? */
bool is_uuid(struct span text);

/* The bytes that it spells; false, and *id then holds anything, for a text of another form. */
bool uuid_parse(struct span text, unsigned char id[UUID_BYTES]);

/* Is the text, which is that of a UUID, in lower case? */
bool uuid_is_lower(struct span text);

/* The lower-case spelling. */
void uuid_spell(const unsigned char id[UUID_BYTES], char text[UUID_TEXT_SIZE]);

#endif
