#include "proxy/console/options.h"

#include <getopt.h>

#define FIRST 256 /* what stands for the first row: no character does */

/* The table as getopt_long() reads it. */
struct forms {
    struct option longs[OPTIONS_MOST + 2];
    char shorts[2 * OPTIONS_MOST + 2];
};

static void spell(const struct option_row *rows, struct forms *forms)
{
    size_t count = 0, length = 0;

    *forms = (struct forms){.shorts = ""};
    for (; count < OPTIONS_MOST && rows[count].name != NULL; count++) {
        const struct option_row *row = &rows[count];
        forms->longs[count] = (struct option){row->name, row->flag ? no_argument : required_argument, NULL,
                                              row->letter ? row->letter : FIRST + (int)count};
        if (row->letter == '\0')
            continue;
        forms->shorts[length++] = row->letter;
        if (row->flag == NULL)
            forms->shorts[length++] = ':';
    }
    forms->longs[count] = (struct option){"help", no_argument, NULL, 'h'};
    forms->shorts[length] = 'h';
}

static const struct option_row *row_of(const struct option_row *rows, int option)
{
    for (int i = 0; rows[i].name != NULL; i++)
        if (option == FIRST + i || (rows[i].letter != '\0' && option == rows[i].letter))
            return &rows[i];
    return NULL;
}

static int take(const struct option_row *row, const char *value)
{
    if (row->take != NULL)
        return row->take(row, value);
    if (row->flag != NULL)
        *row->flag = true;
    else
        *row->text = value;
    return CONSOLE_DONE;
}

int options_read(int argc, char **argv, const struct option_row *rows, struct operands *operands)
{
    struct forms forms;

    spell(rows, &forms);
    for (int option; (option = getopt_long(argc, argv, forms.shorts, forms.longs, NULL)) != -1;) {
        const struct option_row *row = row_of(rows, option);
        int status = option == 'h' ? CONSOLE_HELP : row != NULL ? take(row, optarg) : CONSOLE_USAGE;
        if (status != CONSOLE_DONE)
            return status;
    }
    *operands = (struct operands){argv + optind, (size_t)(argc - optind)};
    return CONSOLE_DONE;
}
