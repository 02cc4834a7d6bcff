#include "proxy/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define READ_BYTES 16384

bool file_read_descriptor(int descriptor, size_t limit, struct text *out, const char **problem)
{
    size_t before = out->length;

    for (;;) {
        if (!text_reserve(out, READ_BYTES)) {
            *problem = strerrordesc_np(ENOMEM);
            return false;
        }
        ssize_t count = read(descriptor, out->data + out->length, READ_BYTES);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            *problem = strerrordesc_np(errno);
            return false;
        }
        out->length += (size_t)count;
        out->data[out->length] = '\0';
        if (out->length - before > limit) {
            *problem = "it is larger than any such file needs to be";
            return false;
        }
        if (count == 0)
            return true;
    }
}

bool file_read(const char *path, size_t limit, struct text *out, const char **problem)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (descriptor < 0) {
        *problem = strerrordesc_np(errno);
        return false;
    }
    bool done = file_read_descriptor(descriptor, limit, out, problem);
    close(descriptor);
    return done;
}

char *path_beside(const char *beside, const char *path)
{
    const char *slash = strrchr(beside, '/');
    int folder = slash ? (int)(slash - beside) + 1 : 0; /* its slash included */
    char *working = NULL, *absolute = NULL;

    if (path[0] == '/')
        return strdup(path);
    if (beside[0] != '/' && (working = realpath(".", NULL)) == NULL)
        return NULL;
    if (asprintf(&absolute, "%s%s%.*s%s", working ? working : "", working ? "/" : "", folder, beside, path) <
        0)
        absolute = NULL;
    free(working);
    return absolute;
}

const char *path_shown(const char *path)
{
    char working[PATH_MAX];

    if (getcwd(working, sizeof working) == NULL)
        return path;
    size_t length = strlen(working);
    if (length > 1 && strncmp(path, working, length) == 0 && path[length] == '/')
        return path + length + 1;
    return path;
}
