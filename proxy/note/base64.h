/* Base 64 (RFC 4648 §4), with padding. Reading is strict: no other bytes, and only the one spelling that
 * writing gives. */
#ifndef PROXY_NOTE_BASE64_H
#define PROXY_NOTE_BASE64_H

#include "policies/text.h"

/* Appends the spelling of the bytes. */
void base64_write(const unsigned char *bytes, size_t length, struct text *out);

/* How many bytes the text spells; false when it has not the form. */
bool base64_length(struct span text, size_t *length);

/* Reads exactly `length` bytes; false when the text has not the form or spells another number of them. */
bool base64_read(struct span text, unsigned char *bytes, size_t length);

#endif
