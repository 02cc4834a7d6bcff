/* What the files behind document.h share. */
#ifndef POLICIES_DOCUMENT_INTERNAL_H
#define POLICIES_DOCUMENT_INTERNAL_H

#include "policies/document.h"

/* Takes the next token off the pointer and decodes it into `token`, NUL-terminated. false at the end, and
 * when memory is out. */
bool pointer_next(const char **pointer, struct text *token);

/* Reads a token as an array index: decimal, no leading zero. */
bool pointer_index(struct span token, size_t *index);

/* Line and column (from 1; columns in characters) of the byte at `offset`, or of the end. */
void text_place(struct span text, size_t offset, unsigned *line, unsigned *column);

#endif
