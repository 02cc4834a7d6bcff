/* The command line: one file a command. A command reads its own options (argv[0] is "portcullis NAME") and
 * returns an exit status; what it is called, its usage and its help stand in one table in main.c. */
#ifndef PROXY_CONSOLE_CONSOLE_H
#define PROXY_CONSOLE_CONSOLE_H

#include "policies/text.h"

#include <stdio.h>

enum console_status {
    CONSOLE_DONE = 0,
    CONSOLE_NO = 1,     /* the answer is no */
    CONSOLE_BAD = 2,    /* usage or bad input */
    CONSOLE_HELP = -1,  /* to the table: show my help; exit status 0 */
    CONSOLE_USAGE = -2, /* to the table: show my usage; exit status 2 */
};

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *synopsis;             /* options and arguments */
    const char *summary;              /* one line */
    const char *help;                 /* lines; what the options do */
    void (*manual)(struct text *out); /* appends further help; NULL for none */
};

int console_serve(int argc, char **argv);
int console_check(int argc, char **argv);
int console_explain(int argc, char **argv);
int console_matrix(int argc, char **argv);
int console_test(int argc, char **argv);
int console_diff(int argc, char **argv);
int console_replay(int argc, char **argv);
int console_token(int argc, char **argv);
int console_manifest(int argc, char **argv);
int console_approve(int argc, char **argv);
int console_breaker(int argc, char **argv);
int console_audit(int argc, char **argv);

/* The manual of `check`: the kinds of warnings, and the settings. */
void console_check_manual(struct text *out);

/* Runs the command of a group that argv[1] names, or answers --help; `group` is what is typed before it. The
 * exit status. */
int console_group(const char *group, const struct command *commands, int argc, char **argv);

/* Runs the command that argv[1] names, or answers --help and --version. The exit status. `commands` ends with
 * a row without a name. */
int console_run(const struct command *commands, int argc, char **argv);

#endif
