#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/console/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define WORDS 8

static int take_digit(const struct option_row *row, const char *value)
{
    if (strlen(value) != 1)
        return CONSOLE_BAD;
    *(char *)row->arg = value[0];
    return CONSOLE_DONE;
}

static const struct {
    const char *words[WORDS];
    int status;
    const char *text; /* of --config */
    bool flag;
    char digit;
    size_t operands;
} rows[] = {
    {{"x"}, CONSOLE_DONE, NULL, false, 0, 0},
    {{"x", "a", "--config", "f", "b", "--json"}, CONSOLE_DONE, "f", true, 0, 2},
    {{"x", "-c", "f", "--digit=7"}, CONSOLE_DONE, "f", false, '7', 0},
    {{"x", "-cf", "--", "--json"}, CONSOLE_DONE, "f", false, 0, 1},
    {{"x", "--config", "f", "--config", "g"}, CONSOLE_DONE, "g", false, 0, 0},
    {{"x", "--digit", "77"}, CONSOLE_BAD, NULL, false, 0, 0},
    {{"x", "--json", "-h", "--nothing"}, CONSOLE_HELP, NULL, true, 0, 0},
    {{"x", "--help"}, CONSOLE_HELP, NULL, false, 0, 0},
    {{"x", "--config"}, CONSOLE_USAGE, NULL, false, 0, 0},
    {{"x", "--json=yes"}, CONSOLE_USAGE, NULL, false, 0, 0},
    {{"x", "--nothing"}, CONSOLE_USAGE, NULL, false, 0, 0},
    {{"x", "-d", "7"}, CONSOLE_USAGE, NULL, false, 0, 0},
};

static void options_are_read(void **state)
{
    (void)state;
    opterr = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *config = NULL;
        bool json = false;
        char digit = 0, *argv[WORDS + 1] = {NULL};
        const struct option_row table[] = {{"config", 'c', .text = &config},
                                           {"json", .flag = &json},
                                           {"digit", .take = take_digit, .arg = &digit},
                                           {0}};
        struct operands operands = {NULL, 0};
        int argc = 0;

        for (; argc < WORDS && rows[i].words[argc] != NULL; argc++)
            argv[argc] = strdup(rows[i].words[argc]);
        optind = 0; /* from the beginning */
        int status = options_read(argc, argv, table, &operands);
        if (status != rows[i].status || json != rows[i].flag || digit != rows[i].digit ||
            operands.count != rows[i].operands || (config == NULL) != (rows[i].text == NULL) ||
            (config != NULL && strcmp(config, rows[i].text) != 0))
            fail_msg("row %zu: status %d", i, status);
        for (int word = 0; word < argc; word++)
            free(argv[word]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(options_are_read)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
