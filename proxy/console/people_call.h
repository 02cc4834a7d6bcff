/* The commands for people: what they have in common - where the gate is, whose token is shown - and one call
 * of its listener for approvals. */
#ifndef PROXY_CONSOLE_PEOPLE_CALL_H
#define PROXY_CONSOLE_PEOPLE_CALL_H

#include "proxy/console/options.h"

#include <jansson.h>

struct people_options {
    const char *at, *config; /* where: an address, or the configuration of a gate on this machine */
    const char *token_file;  /* "-": stdin; NULL: the variable PORTCULLIS_TOKEN */
    const char *authorities; /* to trust, for https:// */
    const char *reason;      /* NULL: none is given */
    bool json;
};

/* Their rows in a command's table of options, and their lines in its help. */
#define PEOPLE_ROWS(options)                                                                                 \
    {"at", .text = &(options)->at}, {"config", 'c', .text = &(options)->config},                             \
        {"token-file", .text = &(options)->token_file}, {"ca", .text = &(options)->authorities},             \
    {                                                                                                        \
        "json", .flag = &(options)->json                                                                     \
    }
#define PEOPLE_HELP                                                                                          \
    "      --at ADDRESS        where the gate listens for people: 127.0.0.1:PORT, unix:PATH or "             \
    "https://HOST:PORT\n"                                                                                    \
    "  -c, --config FILE       or the configuration of a gate on this machine, which says so\n"              \
    "      --token-file FILE   your token; \"-\" is stdin. Without it the variable PORTCULLIS_TOKEN has "    \
    "it\n"                                                                                                   \
    "      --ca FILE           for https://: trust these certificates and no others\n"                       \
    "      --json              print the gate's answer as it is\n"

/* Calls `method` of `path`, with {"reason": …} where one is given; `path` is of visible ASCII. CONSOLE_DONE
 * with the member `data` of the answer in *data (new reference) - or, for --json, NULL and the answer
 * printed; CONSOLE_NO when the gate refuses, CONSOLE_BAD when there is no token, no gate or no understandable
 * answer; the last two after a message. */
int people_call(const struct people_options *options, const char *method, const char *path, json_t **data);

/* May the word stand in a path as it is? Says so if not. */
bool people_word(const char *what, const char *word);

/* Appends the query by which a list is of one organisation; NULL: nothing. */
void people_add_filter(struct text *path, const char *organization);

/* Appends a text of an answer, on one line whatever is in it; "-" for what is no text. */
void people_add(struct text *out, const json_t *object, const char *name);

#endif
