#include "proxy/console/console.h"

static void write_usage(const char *group, const struct command *commands, FILE *stream)
{
    (void)fprintf(stream, "usage: %s COMMAND ...\n\n", group);
    for (const struct command *row = commands; row->name != NULL; row++)
        (void)fprintf(stream, "  %s %s %s\n      %s\n", group, row->name, row->synopsis, row->summary);
    (void)fprintf(stream,
                  "\n`%s COMMAND --help` says more; `portcullis --version` prints the version.\n"
                  "Exit status: 0 done, 1 the answer is no, 2 usage or bad input.\n",
                  group);
}

static void write_help(const char *name, const struct command *command)
{
    struct text manual = {0};

    (void)printf("usage: %s %s\n\n%s\n\n%s", name, command->synopsis, command->summary, command->help);
    if (command->manual != NULL)
        command->manual(&manual);
    (void)fwrite(manual.data ? manual.data : "", 1, manual.length, stdout);
    text_free(&manual);
}

static int run_command(const char *group, const struct command *command, int argc, char **argv)
{
    char name[64]; /* getopt's messages begin with it */

    (void)snprintf(name, sizeof name, "%s %s", group, command->name);
    argv[0] = name;
    int status = command->run(argc, argv);
    if (status == CONSOLE_HELP) {
        write_help(name, command);
        return CONSOLE_DONE;
    }
    if (status == CONSOLE_USAGE) {
        (void)fprintf(stderr, "usage: %s %s\n", name, command->synopsis);
        return CONSOLE_BAD;
    }
    return status;
}

/* Output that did not arrive must not pass for done: a script would read half of it. */
static int finish(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    perror("portcullis: cannot write to stdout");
    return CONSOLE_BAD;
}

int console_group(const char *group, const struct command *commands, int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";

    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        write_usage(group, commands, stdout);
        return CONSOLE_DONE;
    }
    for (const struct command *row = commands; row->name != NULL; row++)
        if (strcmp(word, row->name) == 0)
            return run_command(group, row, argc - 1, argv + 1);
    if (word[0] != '\0')
        (void)fprintf(stderr, "%s: there is no command \"%s\"\n", group, word);
    write_usage(group, commands, stderr);
    return CONSOLE_BAD;
}

int console_run(const struct command *commands, int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        (void)printf("portcullis %s\n", PORTCULLIS_VERSION);
        return finish(CONSOLE_DONE);
    }
    return finish(console_group("portcullis", commands, argc, argv));
}
