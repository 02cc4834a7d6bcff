#include "proxy/listen/takeover_message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
};

bool takeover_send(int socket, const struct takeover_message *message, int fd)
{
    struct iovec part = {(void *)(uintptr_t)message, sizeof *message};
    union control control = {.room = {0}};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t sent;

    if (fd >= 0) {
        header.msg_control = control.room;
        header.msg_controllen = sizeof control.room;
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    }
    do
        sent = sendmsg(socket, &header, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)sizeof *message;
}

/* The one descriptor that came with a message; -1 for none. */
static int descriptor_of(struct msghdr *header)
{
    int fd = -1;

    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part != NULL; part = CMSG_NXTHDR(header, part))
        if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS &&
            part->cmsg_len == CMSG_LEN(sizeof fd))
            memcpy(&fd, CMSG_DATA(part), sizeof fd);
    return fd;
}

bool takeover_receive(int socket, struct takeover_message *message, int *fd)
{
    struct iovec part = {message, sizeof *message};
    union control control = {.room = {0}};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.room,
                            .msg_controllen = sizeof control.room};
    ssize_t received;

    do
        received = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    while (received < 0 && errno == EINTR);
    *fd = -1;
    if (received <= 0) {
        errno = received == 0 ? 0 : errno;
        return false;
    }
    *fd = descriptor_of(&header);
    if (received == (ssize_t)sizeof *message && (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 &&
        message->version == TAKEOVER_VERSION && message->kind < TAKEOVER_KINDS &&
        memchr(message->address, '\0', sizeof message->address) != NULL)
        return true;
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
    errno = EPROTO;
    return false;
}

bool takeover_is_allowed(int socket)
{
    struct ucred other;
    socklen_t size = sizeof other;

    return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &other, &size) == 0 &&
           (other.uid == 0 || other.uid == geteuid());
}
