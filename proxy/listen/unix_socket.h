/* UNIX sockets that the gate listens at: made, and taken away again, without taking another process's. `type`
 * is SOCK_STREAM or SOCK_SEQPACKET. */
#ifndef PROXY_LISTEN_UNIX_SOCKET_H
#define PROXY_LISTEN_UNIX_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* May a socket be made at the path: nothing is there, or a socket at which nobody listens any more? False
 * with a message. */
bool unix_socket_is_free(const char *path, int type, char *error, size_t error_size);

/* Binds and listens; a socket that a dead process left is replaced. Nobody connects before the file has the
 * permissions `mode`. -1 with a message. */
int unix_socket_listen(const char *path, int type, mode_t mode, unsigned backlog, char *error,
                       size_t error_size);

/* Which file is at the path, so that it can be told from another one put there later. */
struct unix_socket_file {
    dev_t device;
    ino_t inode; /* 0: none */
};
struct unix_socket_file unix_socket_file(const char *path);

/* Removes the file if it is still that one. */
void unix_socket_unlink(const char *path, const struct unix_socket_file *file);

#endif
