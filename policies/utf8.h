/* Well-formed UTF-8 (Unicode, table 3-7): no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef POLICIES_UTF8_H
#define POLICIES_UTF8_H

#include "policies/span.h"

/* Length of the well-formed sequence that starts at `at` (which is inside the span); 0 when there is none. */
size_t utf8_sequence(struct span bytes, size_t at);

/* Characters of a text for one line: well-formed, and without control characters (C0, DEL, C1). SIZE_MAX for
 * any other. */
size_t text_characters(struct span text);

/* Is the whole span well-formed? */
bool utf8_is_valid(struct span bytes);

#endif
