#include "proxy/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
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

/* Makes one directory and its name durable. */
static bool make_one(const char *path)
{
    if (mkdir(path, 0700) != 0)
        return errno == EEXIST;

    const char *slash = strrchr(path, '/');
    char *parent = slash == NULL   ? strdup(".")
                   : slash == path ? strdup("/")
                                   : strndup(path, (size_t)(slash - path));
    int fd = parent != NULL ? open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    free(parent); /* keeps errno */
    if (fd < 0)
        return false;
    bool synced = fsync(fd) == 0;
    int fault = errno;
    close(fd);
    errno = fault;
    return synced;
}

bool directory_make(const char *path, char *error, size_t error_size)
{
    char *copy = strdup(path);
    size_t length = copy != NULL ? strlen(copy) : 0;
    bool made = copy != NULL;

    while (length > 1 && copy[length - 1] == '/')
        copy[--length] = '\0';
    for (size_t at = 1; made && at <= length; at++)
        if (copy[at] == '/' || copy[at] == '\0') {
            char end = copy[at];

            copy[at] = '\0';
            made = make_one(copy);
            if (made)
                copy[at] = end;
        }
    int fault = errno;
    if (!made)
        snprintf(error, error_size, "%s: cannot make the directory: %s", copy ? copy : path, strerror(fault));
    free(copy);
    errno = fault;
    return made;
}

static int64_t nanoseconds(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

struct file_mark file_mark(const char *path)
{
    struct stat status;

    if (stat(path, &status) != 0)
        return (struct file_mark){.inode = 0};
    return (struct file_mark){
        .device = status.st_dev,
        .inode = status.st_ino,
        .bytes = (uint64_t)status.st_size,
        .modified_ns = nanoseconds(status.st_mtim),
        .changed_ns = nanoseconds(status.st_ctim),
    };
}

bool file_mark_equal(const struct file_mark *one, const struct file_mark *other)
{
    return one->device == other->device && one->inode == other->inode && one->bytes == other->bytes &&
           one->modified_ns == other->modified_ns && one->changed_ns == other->changed_ns;
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

bool file_read_document(struct document *document, const char *path, size_t limit, struct problems *problems)
{
    const char *name = path_shown(path), *fault;
    struct text text = {0};
    bool right = file_read(path, limit, &text, &fault);

    *document = (struct document){0};
    if (!right)
        problems_add_at(problems, name, 0, 0, "cannot read it: %s", fault);
    else
        right = document_read(document, name, (struct span){text.data, text.length}, problems);
    text_free(&text);
    return right;
}
