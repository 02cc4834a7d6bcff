/* SHA-256, on the read path too: no allocation, no look-up of an algorithm. */
#ifndef POLICIES_DIGEST_H
#define POLICIES_DIGEST_H

#include "policies/span.h"

#define DIGEST_SIZE      32
#define DIGEST_TEXT_SIZE 72 /* "sha256:", 64 hex digits, NUL */

/* The digest of the bytes. What was worked with is wiped: the bytes may be a secret. */
void digest_of(struct span bytes, unsigned char digest[DIGEST_SIZE]);

/* Are they the same? Takes the same time whatever they hold. */
bool digest_equal(const unsigned char one[DIGEST_SIZE], const unsigned char other[DIGEST_SIZE]);

/* "sha256:<64 hex digits>", as policy files and journals spell a digest. */
void digest_write(const unsigned char digest[DIGEST_SIZE], char text[DIGEST_TEXT_SIZE]);

/* Reads that spelling (hex digits in any case); false when the text has another form. */
bool digest_read(struct span text, unsigned char digest[DIGEST_SIZE]);

#endif
