/* Inside of the configuration: what read.c, which walks the table of settings, and kinds.c, which reads one
 * value, share. */
#ifndef PROXY_CONFIG_READING_H
#define PROXY_CONFIG_READING_H

#include "proxy/config/settings.h"

struct reading {
    struct config *config;
    const char *path; /* of the file; what it names lies beside it */
    struct problems *problems;
};

/* kinds.c: reads a value, of the setting's kind, into the configuration. What is wrong with it is noted at
 * `pointer`; "" for a default. */
void config_read_value(struct reading *reading, const struct setting *setting, const char *pointer,
                       json_t *value);

/* kinds.c: notes an error of a setting: its name, and what is wrong. */
void config_wrong(struct reading *reading, const char *pointer, const struct setting *setting,
                  const char *what);

#endif
