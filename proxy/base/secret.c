#include "proxy/base/secret.h"

#include <errno.h>
#include <unistd.h>

const char *secret_read(int descriptor, char *to, size_t room, size_t *length)
{
    for (*length = 0; *length < room;) {
        ssize_t count = read(descriptor, to + *length, room - *length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return strerrordesc_np(errno);
        if (count == 0)
            break;
        *length += (size_t)count;
    }
    return NULL;
}

struct span secret_trim(struct span value)
{
    if (value.length > 0 && value.data[value.length - 1] == '\n') {
        value.length--;
        if (value.length > 0 && value.data[value.length - 1] == '\r')
            value.length--;
    }
    return value;
}

const char *secret_fault(struct span secret)
{
    if (secret.length == 0)
        return "is empty";
    if (secret.length > SECRET_BYTES)
        return "is longer than 4096 characters";
    for (size_t i = 0; i < secret.length; i++)
        if (secret.data[i] < 0x21 || secret.data[i] > 0x7e)
            return "must be one line of visible ASCII characters without spaces";
    return NULL;
}
