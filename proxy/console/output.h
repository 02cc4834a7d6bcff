/* What the commands print. */
#ifndef PROXY_CONSOLE_OUTPUT_H
#define PROXY_CONSOLE_OUTPUT_H

#include "policies/problems.h"

#include <stdio.h>

/* Prints the text and frees it. Control characters in it but newlines become "?": it may quote what came from
 * a client. When memory ran out while it was written, that is said instead. */
void output_text(FILE *stream, struct text *text);

/* Prints "portcullis: message" on stderr. */
void output_fault(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints all problems on stderr, for a person. */
void output_problems(const struct problems *problems);

/* Appends them as a JSON array of objects: severity, code (null: none), file, line, column (0 where unknown),
 * pointer, message.
 */
void problems_write_json(const struct problems *problems, struct text *out);

#endif
