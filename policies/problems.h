/* What is wrong with the files that an operator wrote: collected, never printed here, so that all of it is
 * shown at once. */
#ifndef POLICIES_PROBLEMS_H
#define POLICIES_PROBLEMS_H

#include "policies/text.h"

struct document;

enum severity { SEVERITY_ERROR, SEVERITY_WARNING };

struct problem {
    enum severity severity;
    const char *code; /* kind of a warning (lint.h): static; NULL: it has none */
    char *file;       /* name given to the document, or "" */
    char *pointer;    /* RFC 6901, "" for the whole document */
    char *message;
    unsigned line, column; /* from 1, in characters; 0 where unknown */
};

/* A zeroed struct is an empty list. */
struct problems {
    struct problem *items;
    size_t count;
    size_t capacity;
    size_t errors; /* items that are SEVERITY_ERROR; also counts what memory had no room for, so that nothing
                      wrong passes as right */
};

/* Notes a problem at the JSON pointer of the document and looks up its line and column there (the pointer's
 * member or element; when the pointer names one that does not exist, the nearest one above it). The document
 * may be NULL: no place then. */
void problems_add(struct problems *problems, enum severity severity, const struct document *document,
                  const char *pointer, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* One of a kind, which is static. */
void problems_add_kind(struct problems *problems, enum severity severity, const struct document *document,
                       const char *pointer, const char *code, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* The same, at a line and column already known. */
void problems_add_at(struct problems *problems, const char *file, unsigned line, unsigned column,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Appends one line a problem, as compilers do: "file:line:column: error: message (/json/pointer)\n";
 * behind the message its kind, if it has one, "[unused-role]". */
void problems_write(const struct problems *problems, struct text *out);

/* Frees the list and makes it empty. */
void problems_free(struct problems *problems);

#endif
