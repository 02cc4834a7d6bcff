/* A secret from where a setting says: a variable of the environment, or a file. */
#ifndef PROXY_CONFIG_SECRET_SOURCE_H
#define PROXY_CONFIG_SECRET_SOURCE_H

#include "proxy/base/secret.h"
#include "proxy/config/config.h"

/* Does the setting name one? */
bool secret_source_given(const struct config_secret *source);

/* Reads it into `to`, of SECRET_ROOM bytes, which whoever called wipes; *secret is that without its line end.
 * NULL, or what is wrong with it, as the end of a sentence (static). */
const char *secret_source_read(const struct config_secret *source, char to[static SECRET_ROOM],
                               struct span *secret);

/* "setting: file PATH: fault". */
void secret_source_complain(const char *setting, const struct config_secret *source, const char *fault,
                            char *error, size_t error_size);

#endif
