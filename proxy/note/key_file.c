#include "proxy/note/key_file.h"

#include "proxy/base/file.h"
#include "proxy/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Is this a file to trust with a key? A message otherwise. */
static bool trusted(int fd, const char *path, char *error, size_t error_size)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        snprintf(error, error_size, "%s: %s", path, strerror(errno));
    else if (!S_ISREG(status.st_mode))
        snprintf(error, error_size, "%s: not a regular file", path);
    else if (status.st_uid != geteuid() && status.st_uid != 0)
        snprintf(error, error_size, "%s: belongs to user %lu: chown it to the gate's user or to root", path,
                 (unsigned long)status.st_uid);
    else if ((status.st_mode & 077) != 0)
        snprintf(error, error_size, "%s: open to others (mode %03o): chmod 600 it", path,
                 (unsigned)status.st_mode & 0777u);
    else if (status.st_size > KEY_FILE_BYTES)
        snprintf(error, error_size, "%s: %lld bytes long: this is no key", path, (long long)status.st_size);
    else
        return true;
    return false;
}

/* Takes the descriptor over. */
static bool read_key(int fd, const char *path, struct key_bytes *bytes, char *error, size_t error_size)
{
    bool good = trusted(fd, path, error, error_size);
    const char *problem = good ? secret_read(fd, bytes->data, sizeof bytes->data, &bytes->length) : NULL;

    if (problem != NULL)
        snprintf(error, error_size, "%s: %s", path, problem);
    close(fd);
    return good && problem == NULL;
}

/* -1 with errno. Nothing that has the key's name may hold the gate up. */
static int open_key(const char *path)
{
    return open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static bool fail(const char *path, const char *what, char *error, size_t error_size)
{
    snprintf(error, error_size, "%s: %s: %s", path, what, strerror(errno));
    return false;
}

bool key_file_read(const char *path, struct key_bytes *bytes, char *error, size_t error_size)
{
    int fd = open_key(path);

    if (fd < 0)
        return fail(path, "cannot read the key", error, error_size);
    return read_key(fd, path, bytes, error, error_size);
}

static bool sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return synced;
}

/* Makes the passing file and writes the key into it. */
static bool write_passing(char *passing, const struct key_bytes *bytes)
{
    int fd = mkostemp(passing, O_CLOEXEC); /* O_EXCL, 0600 */

    if (fd < 0)
        return false;
    bool written = write(fd, bytes->data, bytes->length) == (ssize_t)bytes->length && fsync(fd) == 0;

    int fault = errno;
    close(fd);
    if (!written)
        unlink(passing);
    errno = fault;
    return written;
}

/* Writes a key under a passing name and gives it its own then: where `replace`, in place of what is there,
 * otherwise only where there is nothing. */
static bool make_key(const char *directory, const char *path, const struct key_bytes *bytes, bool replace)
{
    char *passing = NULL;

    if (asprintf(&passing, "%s.XXXXXX", path) < 0)
        return false;
    if (!write_passing(passing, bytes)) {
        free(passing);
        return false;
    }
    bool made = replace ? rename(passing, path) == 0 : link(passing, path) == 0 || errno == EEXIST;
    int fault = errno;
    if (!replace || !made)
        unlink(passing);
    free(passing);
    errno = fault;
    return made && sync_directory(directory);
}

static bool make_fresh(const char *directory, const char *path, key_file_fresh *fresh)
{
    struct key_bytes bytes;
    bool made = fresh(&bytes) && make_key(directory, path, &bytes, false);
    int fault = errno;

    explicit_bzero(&bytes, sizeof bytes);
    errno = fault;
    return made;
}

bool key_file_put(const char *directory, const char *name, const struct key_bytes *bytes,
                  enum key_file_use use, char *error, size_t error_size)
{
    char *path;

    if (asprintf(&path, "%s/%s", directory, name) < 0)
        return fail(directory, "cannot make the key", error, error_size);
    bool made = make_key(directory, path, bytes, use == KEY_FILE_REPLACE) ||
                fail(path, "cannot make the key", error, error_size);
    free(path);
    return made;
}

bool key_file_open(const char *directory, const char *name, key_file_fresh *fresh, struct key_bytes *bytes,
                   char *error, size_t error_size)
{
    char *path;
    bool opened = false;

    if (asprintf(&path, "%s/%s", directory, name) < 0)
        return fail(directory, "cannot read the key", error, error_size);

    int fd = open_key(path);
    if (fd < 0 && errno == ENOENT) {
        if (!directory_make(directory, error, error_size))
            goto done;
        if (!make_fresh(directory, path, fresh)) {
            fail(path, "cannot make the key", error, error_size);
            goto done;
        }
        fd = open_key(path);
    }
    opened = fd >= 0 ? read_key(fd, path, bytes, error, error_size)
                     : fail(path, "cannot read the key", error, error_size);

done:
    free(path);
    return opened;
}
