/* TCP sockets that the gate listens at: several of one address (SO_REUSEPORT), one for each worker. */
#ifndef PROXY_LISTEN_TCP_SOCKET_H
#define PROXY_LISTEN_TCP_SOCKET_H

#include "proxy/config/config.h"

/* Does nobody listen at the address yet? SO_REUSEPORT would let a second gate of the same user take half of
 * the first one's clients, and neither would notice. false with a message. */
bool tcp_socket_is_free(const struct config_address *address, char *error, size_t error_size);

/* Binds and listens; `port` replaces the address's own (for the second worker of an address with port 0). -1
 * with a message. */
int tcp_socket_listen(const struct config_address *address, uint16_t port, unsigned backlog, char *error,
                      size_t error_size);

/* The port that a socket is really bound to; 0 when it cannot be told. */
uint16_t tcp_socket_port(int socket);

#endif
