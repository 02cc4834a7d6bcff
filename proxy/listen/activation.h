/* Sockets that a service manager opened and hands over (socket activation; sd_listen_fds(3)): descriptors
 * from 3 on, announced in LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES. */
#ifndef PROXY_LISTEN_ACTIVATION_H
#define PROXY_LISTEN_ACTIVATION_H

#include <stdbool.h>
#include <stddef.h>

struct activation {
    struct activated {
        int fd;     /* -1 once it was taken */
        char *name; /* as in LISTEN_FDNAMES; "unknown" without one */
    } * sockets;
    size_t count;
};

/* Takes what was handed to this process, and the announcement out of the environment. Each must be a
 * listening stream socket. Nothing handed is no error. False with a message; activation_close either way. */
bool activation_open(struct activation *activation, char *error, size_t error_size);

/* A socket of that name not yet taken; the caller closes it. -1: there is none. */
int activation_take(struct activation *activation, const char *name);

/* The name of a socket that nobody took; NULL: all were. */
const char *activation_left(const struct activation *activation);

/* Closes what was not taken. */
void activation_close(struct activation *activation);

#endif
