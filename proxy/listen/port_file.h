/* The port file: tells scripts the addresses really bound, {"listen":["127.0.0.1:41234"]}, and
 * "admin":"127.0.0.1:41235" where there is a metrics page, and
 * "approvals" likewise. */
#ifndef PROXY_LISTEN_PORT_FILE_H
#define PROXY_LISTEN_PORT_FILE_H

#include "proxy/listen/sockets.h"

/* Writes a file beside it and renames it into place, so that nobody reads half of one. false with a message.
 */
bool port_file_write(const char *path, const struct sockets *sockets, char *error, size_t error_size);

#endif
