/* The port file: tells scripts the addresses really bound, {"listen":["127.0.0.1:41234"]}. */
#ifndef PROXY_PORT_FILE_H
#define PROXY_PORT_FILE_H

#include "proxy/config.h"

/* Writes a file beside it and renames it into place, so that nobody reads half of one. false with a message.
 */
bool port_file_write(const char *path, const struct config *config, const uint16_t *ports, char *error,
                     size_t error_size);

#endif
