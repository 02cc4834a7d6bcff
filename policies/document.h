/* JSON read strictly: for the operator's files (with places for error messages) and for request bodies.
 *
 * Strict is RFC 8259 plus: no duplicate member names, UTF-8 only, no byte order mark, no NUL in strings, a
 * bound on depth, and nothing behind the value. Two parsers cannot read such a document differently in any
 * way that matters here. */
#ifndef POLICIES_DOCUMENT_H
#define POLICIES_DOCUMENT_H

#include "policies/problems.h"

#include <jansson.h>

#define DOCUMENT_DEPTH 64 /* default bound on nesting */

struct document {
    char *name; /* as error messages name it */
    char *text; /* the bytes, NUL-terminated */
    size_t length;
    json_t *root; /* NULL when it could not be read */
};

/* Why a text is not strict JSON. */
struct json_fault {
    unsigned line, column; /* from 1 */
    char message[160];     /* never quotes the text: it may hold a secret */
};

/* Reads a text as one strict JSON value of any kind. NULL and *fault filled otherwise. The caller owns the
 * reference. */
json_t *json_read_strict(struct span text, size_t depth, struct json_fault *fault);

/* Copies and reads a text as a document; true when it is strict JSON and an object. Otherwise notes the
 * problem and leaves root NULL. document_free must be called either way. */
bool document_read(struct document *document, const char *name, struct span text, struct problems *problems);

/* Frees what the document holds. */
void document_free(struct document *document);

/* Line and column (from 1; columns in characters) at which the value that the RFC 6901 pointer names begins
 * in the text; for an object member, where its name begins. When the pointer leads nowhere, those of the
 * nearest value above. The text must be valid JSON. */
void json_locate(struct span text, const char *pointer, unsigned *line, unsigned *column);

/* Appends "/" and the token to a pointer, "~" and "/" escaped as RFC 6901 says. */
void pointer_add(struct text *pointer, const char *token);

/* The value that a pointer names below `root` (borrowed), NULL when there is none. */
json_t *pointer_get(json_t *root, const char *pointer);

/* The name in `known` (NULL-terminated) nearest to `name`, NULL if none is near enough to be a slip of the
 * keyboard. */
const char *nearest_name(const char *name, const char *const *known);

#endif
