#include "proxy/listen/takeover.h"

#include "proxy/base/log.h"
#include "proxy/listen/takeover_message.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG   4
#define MODE      0600
#define PATIENCE  ((struct timeval){5, 0})  /* for one message */
#define STARTING  ((struct timeval){30, 0}) /* for a gate that has the sockets to serve */
#define KIND_TEXT "takeover"

struct takeover {
    char *path;
    struct sockets *sockets;
    int listening;                /* for the next gate; -1: none */
    struct unix_socket_file file; /* its file, to be removed at the end */
    int before; /* to the gate that we take over from; -1: none, or it knows that we serve */
    bool took;

    /* For the next gate: */
    struct event *asked;
    struct event *answered; /* of the gate that was given the sockets */
    takeover_done *taken;
    void *arg;
    bool given; /* and it may be serving */
};

/* ---- from the gate before ---- */

/* A connection to the gate that listens at the path; -1 with errno: ENOENT and ECONNREFUSED say that none
 * does. */
static int find(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &PATIENCE, sizeof(struct timeval)) == 0)
        return fd;
    int fault = errno;
    (void)close(fd);
    errno = fault;
    return -1;
}

/* The group that a listener's sockets go to; NULL: we do not listen there. */
static struct socket_group *group_for(const struct sockets *sockets, const struct takeover_message *message)
{
    if (message->kind == TAKEOVER_ADMIN || message->kind == TAKEOVER_APPROVALS) {
        struct socket_group *only = message->kind == TAKEOVER_ADMIN ? sockets->admin : sockets->approvals;
        return only != NULL && strcmp(only->config->address.text, message->address) == 0 ? only : NULL;
    }
    for (size_t i = 0; i < sockets->count; i++)
        if (sockets->groups[i].count == 0 &&
            strcmp(sockets->groups[i].config->address.text, message->address) == 0)
            return &sockets->groups[i];
    return NULL;
}

struct taking {
    bool begun;
    uint32_t group; /* of the old gate: where its sockets go to: */
    struct socket_group *ours;
};

/* Puts one socket in its place. False when memory is out. */
static bool place(struct takeover *takeover, struct taking *taking, const struct takeover_message *message,
                  int fd)
{
    if (message->kind == TAKEOVER_OWN) {
        takeover->listening = fd;
        return true;
    }
    if (!taking->begun || taking->group != message->group) {
        *taking = (struct taking){true, message->group, group_for(takeover->sockets, message)};
        if (taking->ours == NULL)
            log_event(LOG_WARNING, KIND_TEXT,
                      "%s is not listened at any more: what the kernel has queued there is lost",
                      message->address);
    }
    if (taking->ours != NULL)
        return socket_group_add(taking->ours, fd);
    (void)close(fd);
    return true;
}

/* Receives all sockets. NULL, or what went wrong. */
static const char *receive_all(struct takeover *takeover)
{
    struct taking taking = {0};
    struct takeover_message message;
    int fd;

    for (;;) {
        if (!takeover_receive(takeover->before, &message, &fd))
            return errno == 0 ? "it closed the connection: another gate is taking over already, or may not"
                   : errno == EPROTO ? "it does not speak our version"
                                     : strerror(errno);
        if (message.kind == TAKEOVER_END)
            return takeover->listening >= 0 ? NULL : "it does not speak our version";
        if (fd < 0 || message.kind > TAKEOVER_OWN)
            return "it does not speak our version";
        if (!place(takeover, &taking, &message, fd))
            return "out of memory";
    }
}

static bool take_over(struct takeover *takeover, char *error, size_t error_size)
{
    const char *fault =
        takeover_is_allowed(takeover->before) ? receive_all(takeover) : "it is another user's process";

    takeover->took = fault == NULL;
    if (fault != NULL)
        (void)snprintf(error, error_size, "cannot take over from the gate at %s: %s", takeover->path, fault);
    return takeover->took;
}

static bool listen_at(struct takeover *takeover, char *error, size_t error_size)
{
    takeover->listening =
        unix_socket_listen(takeover->path, SOCK_SEQPACKET, MODE, BACKLOG, error, error_size);
    takeover->file = unix_socket_file(takeover->path);
    return takeover->listening >= 0;
}

struct takeover *takeover_open(const char *path, struct sockets *sockets, char *error, size_t error_size)
{
    struct takeover *takeover = calloc(1, sizeof *takeover);

    (void)snprintf(error, error_size, "out of memory");
    if (takeover == NULL)
        return NULL;
    takeover->listening = takeover->before = -1;
    takeover->sockets = sockets;
    takeover->path = strdup(path);
    if (takeover->path == NULL)
        goto failed;
    takeover->before = find(path);
    if (takeover->before < 0 && errno != ENOENT && errno != ECONNREFUSED) {
        (void)snprintf(error, error_size, "%s: %s", path, strerror(errno));
        goto failed;
    }
    if (takeover->before >= 0 ? take_over(takeover, error, error_size)
                              : listen_at(takeover, error, error_size))
        return takeover;

failed:
    takeover_close(takeover);
    return NULL;
}

bool takeover_took(const struct takeover *takeover)
{
    return takeover != NULL && takeover->took;
}

/* The connection is closed at the other end: because that one waits no longer, and not because it ended? */
static bool goes_on(int before)
{
    struct takeover_message message;
    int fd = -1;
    bool said = takeover_receive(before, &message, &fd);

    if (fd >= 0)
        (void)close(fd);
    return said && message.kind == TAKEOVER_GOES_ON;
}

bool takeover_serves(struct takeover *takeover, char *error, size_t error_size)
{
    const struct takeover_message message = {.version = TAKEOVER_VERSION, .kind = TAKEOVER_SERVES};

    if (takeover == NULL || takeover->before < 0)
        return true;
    bool told = takeover_send(takeover->before, &message, -1);
    int fault = errno;
    if (told) {
        log_event(LOG_INFO, KIND_TEXT, "the sockets of the gate before are taken over; it drains");
    } else if (goes_on(takeover->before)) {
        (void)snprintf(error, error_size, "this start took too long: the gate at %s goes on", takeover->path);
        return false;
    } else {
        log_event(LOG_WARNING, KIND_TEXT, "the gate before ended before it was told to: %s", strerror(fault));
    }
    (void)close(takeover->before);
    takeover->before = -1;
    takeover->file = unix_socket_file(takeover->path);
    sockets_own(takeover->sockets);
    return true;
}

/* ---- to the next gate ---- */

static bool give_group(int socket, enum takeover_kind kind, uint32_t number, const struct socket_group *group)
{
    struct takeover_message message = {.version = TAKEOVER_VERSION, .kind = kind, .group = number};
    bool given = true;

    (void)snprintf(message.address, sizeof message.address, "%s", group->config->address.text);
    for (size_t i = 0; given && i < group->count; i++)
        given = takeover_send(socket, &message, group->fds[i]);
    return given;
}

static enum takeover_kind kind_of(const struct sockets *sockets, const struct socket_group *group)
{
    if (group == sockets->admin)
        return TAKEOVER_ADMIN;
    return group == sockets->approvals ? TAKEOVER_APPROVALS : TAKEOVER_LISTENER;
}

static bool give_all(const struct takeover *takeover, int socket)
{
    const struct sockets *sockets = takeover->sockets;
    const struct takeover_message own = {.version = TAKEOVER_VERSION, .kind = TAKEOVER_OWN};
    const struct takeover_message end = {.version = TAKEOVER_VERSION, .kind = TAKEOVER_END};

    for (size_t i = 0; i < sockets->total; i++) {
        const struct socket_group *group = &sockets->groups[i];
        if (!give_group(socket, kind_of(sockets, group), (uint32_t)i, group))
            return false;
    }
    return takeover_send(socket, &own, takeover->listening) && takeover_send(socket, &end, -1);
}

/* The gate that was given the sockets is gone, or serves: its connection is of no more use. */
static void hang_up(struct takeover *takeover)
{
    int socket = event_get_fd(takeover->answered);

    event_free(takeover->answered);
    takeover->answered = NULL;
    (void)close(socket);
}

static void on_answer(evutil_socket_t socket, short what, void *arg)
{
    const struct takeover_message late = {.version = TAKEOVER_VERSION, .kind = TAKEOVER_GOES_ON};
    struct takeover *takeover = arg;
    struct takeover_message message;
    int fd = -1;
    bool answered = (what & EV_READ) != 0 && takeover_receive(socket, &message, &fd);

    if (fd >= 0)
        (void)close(fd);
    if ((what & EV_TIMEOUT) != 0)
        (void)takeover_send(socket, &late, -1); /* or it would take the end of the connection for ours */
    hang_up(takeover);
    takeover->given = answered && message.kind == TAKEOVER_SERVES;
    if (takeover->given)
        takeover->taken(takeover->arg);
    else
        log_event(LOG_WARNING, KIND_TEXT,
                  "another process wanted to take over and did not come to serve: this one goes on");
}

static void on_ask(evutil_socket_t listening, short what, void *arg)
{
    struct takeover *takeover = arg;
    int socket = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    (void)what;

    if (socket < 0)
        return;
    if (takeover->answered != NULL || !takeover_is_allowed(socket)) {
        log_event(LOG_WARNING, KIND_TEXT, "another process wanted to take over and was refused: %s",
                  takeover->answered != NULL ? "one is about to" : "it is of another user");
        (void)close(socket);
        return;
    }
    (void)setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &PATIENCE, sizeof(struct timeval));
    struct event *answered = event_new(event_get_base(takeover->asked), socket, EV_READ, on_answer, takeover);
    if (answered == NULL || !give_all(takeover, socket) || event_add(answered, &STARTING) != 0) {
        log_event(LOG_WARNING, KIND_TEXT, "cannot hand the sockets over: %s", strerror(errno));
        if (answered != NULL)
            event_free(answered);
        (void)close(socket);
        return;
    }
    takeover->answered = answered;
}

bool takeover_watch(struct takeover *takeover, struct event_base *base, takeover_done *taken, void *arg)
{
    if (takeover == NULL)
        return true;
    takeover->taken = taken;
    takeover->arg = arg;
    takeover->asked = event_new(base, takeover->listening, EV_READ | EV_PERSIST, on_ask, takeover);
    return takeover->asked != NULL && event_add(takeover->asked, NULL) == 0;
}

void takeover_ignore(struct takeover *takeover)
{
    if (takeover == NULL)
        return;
    if (takeover->asked != NULL)
        event_free(takeover->asked);
    takeover->asked = NULL;
    if (takeover->answered != NULL) {
        hang_up(takeover);
        takeover->given = true;
    }
}

bool takeover_given(const struct takeover *takeover)
{
    return takeover != NULL && takeover->given;
}

void takeover_close(struct takeover *takeover)
{
    if (takeover == NULL)
        return;
    takeover_ignore(takeover);
    if (!takeover->given)
        unix_socket_unlink(takeover->path, &takeover->file);
    if (takeover->listening >= 0)
        (void)close(takeover->listening);
    if (takeover->before >= 0)
        (void)close(takeover->before);
    free(takeover->path);
    free(takeover);
}
