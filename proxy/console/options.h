/* The options of a command: one table for each, read by one reader. */
#ifndef PROXY_CONSOLE_OPTIONS_H
#define PROXY_CONSOLE_OPTIONS_H

#include "proxy/console/console.h"

#include <stdbool.h>

#define OPTIONS_MOST 16 /* rows of a table */

/* An option, and where it goes: exactly one of the three. The last row has no name. */
struct option_row {
    const char *name;  /* without the dashes */
    char letter;       /* of its short form; NUL: it has none */
    bool *flag;        /* takes no value; becomes true */
    const char **text; /* becomes the value, a part of argv */
    /* CONSOLE_DONE, or what read is to return, after a message where that is CONSOLE_BAD */
    int (*take)(const struct option_row *row, const char *value);
    void *arg;  /* for take() */
    int number; /* the same */
};

/* What stands on the command line besides options: a part of argv. */
struct operands {
    char *const *items;
    size_t count;
};

/* Reads the options of the table, and --help and -h. CONSOLE_DONE, or what the command is to return. */
int options_read(int argc, char **argv, const struct option_row *rows, struct operands *operands);

#endif
