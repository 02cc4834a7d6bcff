/* The connection that syslog's messages go out on: a UNIX socket, or TCP with TLS. It blocks, but for no
 * longer than its timeouts and the stop allow. */
#ifndef PROXY_SHIP_LINE_SOCKET_H
#define PROXY_SHIP_LINE_SOCKET_H

#include "proxy/config/config.h"
#include "proxy/ship/stopping.h"

struct line_socket;

enum line_framing {
    LINE_FRAMED_DATAGRAM, /* a message a datagram */
    LINE_FRAMED_NEWLINE,  /* a UNIX stream socket */
    LINE_FRAMED_COUNT,    /* TLS */
};

enum line_sent { LINE_SENT, LINE_NOT_SENT, LINE_TOO_LARGE };

/* For config->ship.syslog and ship.ca_file. Connects nowhere yet. NULL with a message. */
struct line_socket *line_socket_new(const struct config *config, const struct stopping *stopping, char *error,
                                    size_t error_size);
/* Reads ship.ca_file anew, for connections to come. False with a message, and no change. Any thread. */
bool line_socket_reload(struct line_socket *socket, char *error, size_t error_size);

void line_socket_free(struct line_socket *socket);

/* Connects where it is not connected, or not any more. False with the reason in `why`
 * (DESTINATION_WHY bytes). */
bool line_socket_connect(struct line_socket *socket, char *why);

/* Of the connection there is. */
enum line_framing line_socket_framing(const struct line_socket *socket);

/* Writes all of it. After LINE_NOT_SENT the connection is closed, and how much of it arrived is not known. */
enum line_sent line_socket_send(struct line_socket *socket, const char *bytes, size_t length, char *why);

#endif
