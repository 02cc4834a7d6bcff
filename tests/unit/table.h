/* Tables of test cases (tests/tables/NAME.tsv, tests/wire/expect.tsv): one case a line, columns separated by
 * a tab, "#" begins a comment line. In a column, \xNN is a byte, {text*N} the text N times, and "-" alone the
 * empty text. Every failing case is shown with its file and line. */
#ifndef TESTS_UNIT_TABLE_H
#define TESTS_UNIT_TABLE_H

#include "policies/ascii.h"
#include "policies/text.h"

#include <stdio.h>
#include <stdlib.h>

#define TABLE_COLUMNS 8

struct table_row {
    const char *file;
    unsigned line;
    struct text columns[TABLE_COLUMNS];
    size_t count;
};

static inline struct span table_column(const struct table_row *row, size_t column)
{
    return (struct span){row->columns[column].data ? row->columns[column].data : "",
                         row->columns[column].length};
}

/* Undoes \xNN. */
static inline void table_unescape(const char *from, const char *end, struct text *out)
{
    while (from < end) {
        bool escaped = end - from >= 4 && from[0] == '\\' && from[1] == 'x' && ascii_hex(from[2]) >= 0 &&
                       ascii_hex(from[3]) >= 0;
        char byte = escaped ? (char)(ascii_hex(from[2]) * 16 + ascii_hex(from[3])) : *from;
        text_add(out, &byte, 1);
        from += escaped ? 4 : 1;
    }
}

/* Undoes \xNN and {text*N}. */
static inline void table_expand(const char *from, struct text *out)
{
    if (strcmp(from, "-") == 0)
        return;
    for (const char *open; (open = strchr(from, '{')) != NULL;) {
        const char *close = strchr(open, '}');
        const char *star = close ? memrchr(open, '*', (size_t)(close - open)) : NULL;
        if (star == NULL) {
            (void)fprintf(stderr, "a brace without {text*N}: %s\n", from);
            exit(1);
        }
        table_unescape(from, open, out);
        for (long times = strtol(star + 1, NULL, 10); times > 0; times--)
            table_unescape(open + 1, star, out);
        from = close + 1;
    }
    table_unescape(from, from + strlen(from), out);
}

static inline void table_split(char *line, struct table_row *row)
{
    row->count = 0;
    for (char *rest = line, *column; (column = strsep(&rest, "\t")) != NULL && row->count < TABLE_COLUMNS;
         row->count++) {
        text_clear(&row->columns[row->count]);
        table_expand(column, &row->columns[row->count]);
    }
}

/* Runs each case that has `columns` columns; a line with another number is a failure. Returns how many
 * failed; *cases is how many there were. run() prints what differs and returns false. */
static inline unsigned table_run(const char *file, size_t columns,
                                 bool (*run)(const struct table_row *row, void *arg), void *arg,
                                 unsigned *cases)
{
    struct table_row row = {.file = file};
    unsigned failed = 0;
    char *line = NULL;
    size_t room = 0;
    FILE *stream = fopen(file, "r");

    *cases = 0;
    if (stream == NULL) {
        perror(file);
        return 1;
    }
    while (getline(&line, &room, stream) >= 0) {
        row.line++;
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '\0' || line[0] == '#')
            continue;
        ++*cases;
        table_split(line, &row);
        if (row.count != columns) {
            (void)fprintf(stderr, "%s:%u: %zu columns, not %zu\n", file, row.line, row.count, columns);
            failed++;
        } else if (!run(&row, arg)) {
            failed++;
        }
    }
    for (size_t i = 0; i < TABLE_COLUMNS; i++)
        text_free(&row.columns[i]);
    free(line);
    (void)fclose(stream);
    return failed;
}

#endif
