#include "proxy/listen/activation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_FD 3
#define MOST_FDS 1024

/* A decimal number without sign and surroundings; -1 for anything else. */
static long number_of(const char *text)
{
    size_t length = text != NULL ? strlen(text) : 0;

    return length > 0 && length < 10 && strspn(text, "0123456789") == length ? strtol(text, NULL, 10) : -1;
}

/* The `index`th of the names that colons separate. malloc'ed. */
static char *name_of(const char *names, size_t index)
{
    for (; names != NULL && index > 0; index--) {
        names = strchr(names, ':');
        names = names != NULL ? names + 1 : NULL;
    }
    return names != NULL ? strndup(names, strcspn(names, ":")) : strdup("unknown");
}

static bool listens(int fd)
{
    int type = 0, accepts = 0;
    socklen_t size = sizeof type;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) == 0 && accepts != 0;
}

/* Children must not have it, and accept() must not block. */
static bool prepare(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

static bool take_all(struct activation *activation, size_t count, const char *names, char *error,
                     size_t error_size)
{
    activation->sockets = calloc(count, sizeof *activation->sockets);
    for (size_t i = 0; activation->sockets != NULL && i < count; i++) {
        int fd = FIRST_FD + (int)i;
        activation->sockets[i] = (struct activated){fd, name_of(names, i)};
        activation->count++;
        if (activation->sockets[i].name == NULL)
            break;
        if (!listens(fd) || !prepare(fd)) {
            (void)snprintf(
                error, error_size,
                "systemd:%s: descriptor %d is no listening stream socket: see ListenStream= and Accept= "
                "of its socket unit",
                activation->sockets[i].name, fd);
            return false;
        }
    }
    if (activation->sockets != NULL && activation->sockets[activation->count - 1].name != NULL)
        return true;
    (void)snprintf(error, error_size, "out of memory");
    return false;
}

bool activation_open(struct activation *activation, char *error, size_t error_size)
{
    const char *names = getenv("LISTEN_FDNAMES");
    long count = number_of(getenv("LISTEN_FDS"));
    bool ours = number_of(getenv("LISTEN_PID")) == (long)getpid();
    bool right = true;

    *activation = (struct activation){0};
    if (ours && (count < 0 || count > MOST_FDS)) {
        (void)snprintf(error, error_size,
                       "LISTEN_FDS in the environment is no number of sockets from 0 to %d", MOST_FDS);
        right = false;
    } else if (ours && count > 0) {
        right = take_all(activation, (size_t)count, names, error, error_size);
    }
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    return right;
}

int activation_take(struct activation *activation, const char *name)
{
    for (size_t i = 0; i < activation->count; i++) {
        struct activated *socket = &activation->sockets[i];
        if (socket->fd >= 0 && strcmp(socket->name, name) == 0) {
            int fd = socket->fd;
            socket->fd = -1;
            return fd;
        }
    }
    return -1;
}

const char *activation_left(const struct activation *activation)
{
    for (size_t i = 0; i < activation->count; i++)
        if (activation->sockets[i].fd >= 0)
            return activation->sockets[i].name;
    return NULL;
}

void activation_close(struct activation *activation)
{
    for (size_t i = 0; i < activation->count; i++) {
        if (activation->sockets[i].fd >= 0)
            (void)close(activation->sockets[i].fd);
        free(activation->sockets[i].name);
    }
    free(activation->sockets);
    *activation = (struct activation){0};
}
