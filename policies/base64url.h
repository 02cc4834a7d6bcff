/* Base 64 for URLs (RFC 4648 §5), without padding, as JWTs have it. Strict: no other bytes, and only the one
 * spelling of what is read, so that two texts never mean the same bytes. */
#ifndef POLICIES_BASE64URL_H
#define POLICIES_BASE64URL_H

#include "policies/arena.h"

/* The bytes that the text spells, in the arena with a NUL behind them. False for another form, or when memory
 * is out. */
bool base64url_read(struct span text, struct arena *arena, struct span *bytes);

#endif
