#include "proxy/listen/unix_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static bool fail(const char *path, const char *what, char *error, size_t error_size)
{
    (void)snprintf(error, error_size, "cannot listen on unix:%s: %s", path, what);
    return false;
}

static bool fill_address(struct sockaddr_un *address, const char *path)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address->sun_path)
        return false;
    memcpy(address->sun_path, path, strlen(path) + 1);
    return true;
}

/* Does somebody listen at it? Only a refusal says for certain that nobody does. */
static bool is_in_use(const char *path, int type)
{
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool refused = fd >= 0 && fill_address(&address, path) &&
                   connect(fd, (const struct sockaddr *)&address, sizeof address) != 0 &&
                   errno == ECONNREFUSED;

    if (fd >= 0)
        (void)close(fd);
    return !refused;
}

bool unix_socket_is_free(const char *path, int type, char *error, size_t error_size)
{
    struct stat status;

    if (lstat(path, &status) != 0)
        return errno == ENOENT || fail(path, strerror(errno), error, error_size);
    if (!S_ISSOCK(status.st_mode))
        return fail(path, "there is a file of that name that is no socket", error, error_size);
    if (is_in_use(path, type))
        return fail(path, "another process listens there", error, error_size);
    return true;
}

int unix_socket_listen(const char *path, int type, mode_t mode, unsigned backlog, char *error,
                       size_t error_size)
{
    struct sockaddr_un address;
    int fd;

    if (!unix_socket_is_free(path, type, error, error_size))
        return -1;
    fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && fill_address(&address, path) && (unlink(path) == 0 || errno == ENOENT) &&
        bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 && chmod(path, mode) == 0 &&
        listen(fd, (int)backlog) == 0)
        return fd;
    (void)fail(path, strerror(errno), error, error_size);
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

struct unix_socket_file unix_socket_file(const char *path)
{
    struct stat status;

    if (lstat(path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return (struct unix_socket_file){0};
    return (struct unix_socket_file){status.st_dev, status.st_ino};
}

void unix_socket_unlink(const char *path, const struct unix_socket_file *file)
{
    struct unix_socket_file now = unix_socket_file(path);

    if (file->inode != 0 && now.inode == file->inode && now.device == file->device)
        (void)unlink(path);
}
