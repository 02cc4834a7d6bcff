/* All sockets that the gate listens at: bound here, handed over by systemd, or taken over from the gate that
 * ran before. Workers get duplicates; what is kept here can be handed on, and keeps an address listening for
 * as long as it is open. */
#ifndef PROXY_LISTEN_SOCKETS_H
#define PROXY_LISTEN_SOCKETS_H

#include "proxy/config/config.h"
#include "proxy/listen/unix_socket.h"

#define SOCKETS_BOUND 128 /* "unix:" and a sockaddr_un's path fit */

/* Those of one listener: one for each worker where the kernel spreads connections (TCP), else one for all. */
struct socket_group {
    const struct config_listener *config;
    int *fds;
    size_t count;
    struct unix_socket_file file; /* of a UNIX socket that is to be removed at the end */
    char bound[SOCKETS_BOUND];    /* as a client would be told: "127.0.0.1:41234", "unix:/run/a.sock" */
};

struct sockets {
    struct socket_group
        *groups;  /* one for each listener of the configuration, in its order, `admin`, `approvals` */
    size_t count; /* of listeners */
    size_t total; /* of groups */
    struct socket_group *admin;     /* behind those; NULL without an admin listener */
    struct socket_group *approvals; /* the last one; NULL without a listener for approvals */
    struct config_listener admin_listener, approvals_listener;
};

/* Takes a listening socket over into a group. False when memory is out; the socket is then closed. */
bool socket_group_add(struct socket_group *group, int fd);

/* Empty groups for the configuration's listeners. False when memory is out. sockets_close either way. The
 * struct must stay where it is. */
bool sockets_init(struct sockets *sockets, const struct config *config);

/* Fills the groups that are empty: binds, takes what systemd hands over, listens. `workers`: how many will
 * accept. Nothing is bound when one of the addresses is in use. False with a message, also where systemd
 * hands over more than is wanted. */
bool sockets_open(struct sockets *sockets, unsigned workers, unsigned backlog, char *error,
                  size_t error_size);

/* Duplicates for worker `index` of `workers`, closed by the receiver: with all workers' shares each socket is
 * served, and each worker has at least one of every listener. *shares is malloc'ed. False with errno. */
struct socket_share {
    int fd;
    const struct config_listener *config;
};
bool sockets_share(const struct sockets *sockets, unsigned index, unsigned workers,
                   struct socket_share **shares, size_t *count);

/* What was taken over is ours alone now: the files of its UNIX sockets are removed at the end. */
void sockets_own(struct sockets *sockets);

/* Another process has all sockets now: their files stay. */
void sockets_disown(struct sockets *sockets);

/* Closes the sockets, removes the files of UNIX sockets, frees. A closed one may be closed again. */
void sockets_close(struct sockets *sockets);

/* The same for those that clients are accepted at: the admin listener's stays, so that a gate that ends its
 * exchanges can be asked how it is. */
void sockets_stop(struct sockets *sockets);

#endif
