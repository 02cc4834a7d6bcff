#include "proxy/listen/sockets.h"

#include "proxy/listen/activation.h"
#include "proxy/listen/tcp_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ADMIN_MODE 0600
#define MANY       4096 /* more sockets of one listener than anybody has workers */

bool socket_group_add(struct socket_group *group, int fd)
{
    int *more = group->count < MANY ? reallocarray(group->fds, group->count + 1, sizeof *more) : NULL;

    if (more == NULL) {
        (void)close(fd);
        return false;
    }
    group->fds = more;
    group->fds[group->count++] = fd;
    return true;
}

bool sockets_init(struct sockets *sockets, const struct config *config)
{
    *sockets = (struct sockets){.groups = calloc(config->listen_count + 2, sizeof *sockets->groups)};
    if (sockets->groups == NULL)
        return false;
    for (; sockets->count < config->listen_count; sockets->count++)
        sockets->groups[sockets->count].config = &config->listen[sockets->count];
    sockets->total = sockets->count;
    if (config->admin.listen.text != NULL) {
        sockets->admin_listener =
            (struct config_listener){.address = config->admin.listen, .mode = ADMIN_MODE};
        sockets->admin = &sockets->groups[sockets->total++];
        sockets->admin->config = &sockets->admin_listener;
    }
    if (config->approvals.listen.text != NULL) {
        sockets->approvals_listener =
            (struct config_listener){.address = config->approvals.listen, .mode = ADMIN_MODE};
        sockets->approvals = &sockets->groups[sockets->total++];
        sockets->approvals->config = &sockets->approvals_listener;
    }
    return true;
}

/* ---- each kind of address: is it free, and how it is opened ---- */

struct opening {
    struct activation activation;
    unsigned workers, backlog;
    char *error;
    size_t error_size;
};

static bool out_of_memory(struct opening *opening)
{
    (void)snprintf(opening->error, opening->error_size, "out of memory");
    return false;
}

/* The first socket fixes a port that was left open (":0"). */
static bool open_tcp(struct socket_group *group, struct opening *opening)
{
    const struct config_address *address = &group->config->address;
    uint16_t port = address->port;

    for (unsigned i = 0; i < opening->workers; i++) {
        int fd = tcp_socket_listen(address, port, opening->backlog, opening->error, opening->error_size);
        if (fd < 0)
            return false;
        if (!socket_group_add(group, fd))
            return out_of_memory(opening);
        port = tcp_socket_port(fd);
    }
    return true;
}

static bool open_unix(struct socket_group *group, struct opening *opening)
{
    const struct config_address *address = &group->config->address;
    int fd = unix_socket_listen(address->host, SOCK_STREAM, group->config->mode, opening->backlog,
                                opening->error, opening->error_size);

    if (fd < 0)
        return false;
    group->file = unix_socket_file(address->host);
    return socket_group_add(group, fd) || out_of_memory(opening);
}

/* A name may stand for several sockets: a unit may have several ListenStream=. */
static bool open_systemd(struct socket_group *group, struct opening *opening)
{
    const struct config_address *address = &group->config->address;
    int fd;

    while ((fd = activation_take(&opening->activation, address->host)) >= 0)
        if (!socket_group_add(group, fd))
            return out_of_memory(opening);
    if (group->count > 0)
        return true;
    (void)snprintf(
        opening->error, opening->error_size,
        "cannot listen on %s: no socket of that name was handed over (LISTEN_FDS, LISTEN_FDNAMES); start "
        "the gate by a systemd socket unit with FileDescriptorName=%s",
        address->text, address->host);
    return false;
}

static bool unix_is_free(const struct config_address *address, char *error, size_t error_size)
{
    return unix_socket_is_free(address->host, SOCK_STREAM, error, error_size);
}

static bool always_free(const struct config_address *address, char *error, size_t error_size)
{
    (void)address;
    (void)error;
    (void)error_size;
    return true;
}

static const struct {
    bool (*is_free)(const struct config_address *address, char *error, size_t error_size);
    bool (*open)(struct socket_group *group, struct opening *opening);
} kinds[] = {
    [ADDRESS_TCP] = {tcp_socket_is_free, open_tcp},
    [ADDRESS_UNIX] = {unix_is_free, open_unix},
    [ADDRESS_SYSTEMD] = {always_free, open_systemd},
};

static bool are_free(const struct sockets *sockets, char *error, size_t error_size)
{
    for (size_t i = 0; i < sockets->total; i++) {
        const struct socket_group *group = &sockets->groups[i];
        const struct config_address *address = &group->config->address;
        if (group->count == 0 && !kinds[address->kind].is_free(address, error, error_size))
            return false;
    }
    return true;
}

/* ---- what is bound ---- */

union bound {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    struct sockaddr_un local;
    struct sockaddr_storage room;
};

static void describe(struct socket_group *group)
{
    union bound address = {.any = {0}};
    socklen_t size = sizeof address - 1; /* a path may fill its place: a NUL stays behind it */
    char host[INET6_ADDRSTRLEN] = "";

    (void)snprintf(group->bound, sizeof group->bound, "%s", group->config->address.text);
    if (getsockname(group->fds[0], &address.any, &size) != 0)
        return;
    if (address.any.sa_family == AF_INET && inet_ntop(AF_INET, &address.four.sin_addr, host, sizeof host))
        (void)snprintf(group->bound, sizeof group->bound, "%s:%u", host, ntohs(address.four.sin_port));
    if (address.any.sa_family == AF_INET6 && inet_ntop(AF_INET6, &address.six.sin6_addr, host, sizeof host))
        (void)snprintf(group->bound, sizeof group->bound, "[%s]:%u", host, ntohs(address.six.sin6_port));
    if (address.any.sa_family == AF_UNIX)
        (void)snprintf(group->bound, sizeof group->bound, "unix:%s", address.local.sun_path);
}

/* ---- opening ---- */

/* What systemd hands over again, to a gate that has it from the one before already. */
static void drop_again(const struct socket_group *group, struct activation *activation)
{
    int fd;

    if (group->config->address.kind != ADDRESS_SYSTEMD)
        return;
    while ((fd = activation_take(activation, group->config->address.host)) >= 0)
        (void)close(fd);
}

static bool open_groups(struct sockets *sockets, struct opening *opening)
{
    unsigned workers = opening->workers;

    for (size_t i = 0; i < sockets->total; i++) {
        struct socket_group *group = &sockets->groups[i];
        opening->workers = group == sockets->admin || group == sockets->approvals ? 1 : workers;
        if (group->count == 0 && !kinds[group->config->address.kind].open(group, opening))
            return false;
        drop_again(group, &opening->activation);
        describe(group);
    }
    const char *left = activation_left(&opening->activation);
    if (left == NULL)
        return true;
    (void)snprintf(
        opening->error, opening->error_size,
        "systemd hands over a socket named \"%s\" that no listener takes: add \"systemd:%s\" to listen, "
        "or remove it from the socket unit",
        left, left);
    return false;
}

bool sockets_open(struct sockets *sockets, unsigned workers, unsigned backlog, char *error, size_t error_size)
{
    struct opening opening = {
        .workers = workers, .backlog = backlog, .error = error, .error_size = error_size};
    bool opened = are_free(sockets, error, error_size) &&
                  activation_open(&opening.activation, error, error_size) && open_groups(sockets, &opening);

    activation_close(&opening.activation);
    return opened;
}

/* ---- sharing out ---- */

static bool add_share(struct socket_share **shares, size_t *count, const struct socket_group *group,
                      size_t which)
{
    struct socket_share *more = reallocarray(*shares, *count + 1, sizeof *more);

    if (more == NULL)
        return false;
    *shares = more;
    int fd = fcntl(group->fds[which], F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return false;
    more[(*count)++] = (struct socket_share){fd, group->config};
    return true;
}

/* Worker 1 of 3 serves sockets 1, 4, 7, ... of a group; of a group with fewer, one together with others. */
static bool share_group(struct socket_share **shares, size_t *count, const struct socket_group *group,
                        unsigned index, unsigned workers)
{
    size_t which = index % group->count;

    do
        if (!add_share(shares, count, group, which))
            return false;
    while (group->count > workers && (which += workers) < group->count);
    return true;
}

bool sockets_share(const struct sockets *sockets, unsigned index, unsigned workers,
                   struct socket_share **shares, size_t *count)
{
    *shares = NULL;
    *count = 0;
    for (size_t i = 0; i < sockets->count; i++)
        if (!share_group(shares, count, &sockets->groups[i], index, workers)) {
            for (size_t at = 0; at < *count; at++)
                (void)close((*shares)[at].fd);
            free(*shares);
            *shares = NULL;
            *count = 0;
            return false;
        }
    return true;
}

/* ---- the end ---- */

void sockets_own(struct sockets *sockets)
{
    for (size_t i = 0; i < sockets->total; i++) {
        struct socket_group *group = &sockets->groups[i];
        if (group->config->address.kind == ADDRESS_UNIX)
            group->file = unix_socket_file(group->config->address.host);
    }
}

void sockets_disown(struct sockets *sockets)
{
    for (size_t i = 0; i < sockets->total; i++)
        sockets->groups[i].file = (struct unix_socket_file){0};
}

static void close_group(struct socket_group *group)
{
    unix_socket_unlink(group->config->address.host, &group->file);
    for (size_t at = 0; at < group->count; at++)
        (void)close(group->fds[at]);
    free(group->fds);
    *group = (struct socket_group){.config = group->config};
}

void sockets_stop(struct sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++)
        close_group(&sockets->groups[i]);
}

void sockets_close(struct sockets *sockets)
{
    for (size_t i = 0; i < sockets->total; i++)
        close_group(&sockets->groups[i]);
    free(sockets->groups);
    *sockets = (struct sockets){0};
}
