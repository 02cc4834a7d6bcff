/* Inside of `portcullis matrix`: what is shown, and the forms in which it can be. */
#ifndef PROXY_CONSOLE_MATRIX_H
#define PROXY_CONSOLE_MATRIX_H

#include "policies/matrix.h"
#include "policies/organizations.h"

/* What is to be shown; immutable once made. */
struct matrix {
    const struct contract *contract;
    const struct policy *policy;
    const struct operation *const *operations; /* the columns */
    size_t operation_count;
};

/* One principal in one organisation. */
struct matrix_row {
    const char *principal;
    const char *organization; /* UUID, or "*" for any other */
    const struct cell *cells; /* one for each of the matrix' operations */
};

/* A form. Each function appends; rows come one at a time, so that nothing grows with their number. */
struct matrix_format {
    const char *name;
    void (*begin)(const struct matrix *matrix, struct text *out);
    void (*row)(const struct matrix *matrix, const struct matrix_row *row, bool first, struct text *out);
    void (*end)(const struct matrix *matrix, struct text *out);
};

/* The form of that name: "table", "csv", "json", "html". NULL for another. */
const struct matrix_format *matrix_format_named(const char *name);

/* The page: see matrix_page.c. */
void matrix_page_begin(const struct matrix *matrix, struct text *out);
void matrix_page_row(const struct matrix *matrix, const struct matrix_row *row, bool first, struct text *out);
void matrix_page_end(const struct matrix *matrix, struct text *out);

#endif
