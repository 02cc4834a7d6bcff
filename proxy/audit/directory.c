#include "proxy/audit/directory.h"

#include "proxy/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_NAME "journal.lock"

static bool fail(const char *path, const char *what, const char **passing, char *error, size_t error_size)
{
    *passing = directory_passing(errno);
    snprintf(error, error_size, "%s: %s: %s", path, what, strerror(errno));
    return false;
}

/* Says who holds the lock; the holder wrote its pid into the file. */
static bool fail_locked(const struct directory *directory, int lock, char *error, size_t error_size)
{
    char pid[16] = "";
    ssize_t length = pread(lock, pid, sizeof pid - 1, 0);

    pid[length > 0 ? strspn(pid, "0123456789") : 0] = '\0';
    snprintf(error, error_size,
             "%s: another process%s%s%s writes this journal; stop it, or use another directory",
             directory->path, pid[0] != '\0' ? ", pid " : "", pid, pid[0] != '\0' ? "," : "");
    return false;
}

const char directory_locked[] = "another process writes it";

const char *directory_passing(int fault)
{
    static const int faults[] = {ENOSPC, EDQUOT, EROFS, EIO, ENOMEM, EMFILE, ENFILE, EINTR};

    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (fault == faults[i])
            return strerrordesc_np(fault);
    return NULL;
}

static bool take_lock(struct directory *directory, const char **passing, char *error, size_t error_size)
{
    int lock = openat(directory->fd, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (lock < 0)
        return fail(directory->path, "cannot open " LOCK_NAME, passing, error, error_size);
    if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) {
            fail_locked(directory, lock, error, error_size);
            *passing = directory_locked;
        } else {
            fail(directory->path, "cannot lock " LOCK_NAME, passing, error, error_size);
        }
        close(lock);
        return false;
    }
    directory->lock = lock;

    /* For people only: the lock itself is what counts, so a full disk is no reason to stop here. */
    if (ftruncate(lock, 0) == 0)
        (void)dprintf(lock, "%ld\n", (long)getpid());
    return true;
}

bool directory_open(struct directory *directory, const char *path, const char **passing, char *error,
                    size_t error_size)
{
    struct stat status;

    *passing = NULL;
    *directory = (struct directory){.path = strdup(path), .fd = -1, .lock = -1};
    if (directory->path == NULL) {
        fail(path, "cannot open the directory", passing, error, error_size);
        goto failed;
    }
    if (!directory_make(path, error, error_size)) {
        *passing = directory_passing(errno);
        goto failed;
    }
    directory->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory->fd < 0 || fstat(directory->fd, &status) != 0) {
        fail(path, "cannot open the directory", passing, error, error_size);
        goto failed;
    }
    if ((status.st_uid != geteuid() && status.st_uid != 0) || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        snprintf(error, error_size,
                 "%s: others may write to this directory (owner %lu, mode %03o): give it to the gate's user "
                 "and chmod go-w it",
                 path, (unsigned long)status.st_uid, (unsigned)status.st_mode & 0777u);
        goto failed;
    }
    if (!take_lock(directory, passing, error, error_size))
        goto failed;
    return true;

failed:
    directory_close(directory);
    return false;
}

void directory_close(struct directory *directory)
{
    if (directory->lock >= 0)
        close(directory->lock);
    if (directory->fd >= 0)
        close(directory->fd);
    free(directory->path);
    *directory = (struct directory){.fd = -1, .lock = -1};
}

bool directory_sync(const struct directory *directory)
{
    return fsync(directory->fd) == 0;
}

bool directory_same(const struct directory *directory)
{
    struct stat ours, theirs;

    return fstat(directory->fd, &ours) == 0 && stat(directory->path, &theirs) == 0 &&
           ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

char *directory_join(const struct directory *directory, const char *name)
{
    char *path;

    return asprintf(&path, "%s/%s", directory->path, name) >= 0 ? path : NULL;
}

void directory_time(int64_t epoch_us, char text[static DIRECTORY_TIME])
{
    time_t seconds = (time_t)(epoch_us / 1000000);
    struct tm fields;

    if (gmtime_r(&seconds, &fields) == NULL || strftime(text, DIRECTORY_TIME, "%Y%m%dT%H%M%SZ", &fields) == 0)
        memcpy(text, "00000000T000000Z", DIRECTORY_TIME);
}

void segment_name_make(struct segment_name *name, uint64_t first_seq, int64_t epoch_us)
{
    char time[DIRECTORY_TIME];

    directory_time(epoch_us, time);
    name->first_seq = first_seq;
    snprintf(name->text, sizeof name->text, "%016" PRIu64 "-%s.jsonl", first_seq % 10000000000000000u, time);
}

const char *segment_name_time(const struct segment_name *name)
{
    return strchr(name->text, '-') + 1;
}

/* In the shape a zero stands for any digit. */
bool segment_name_read(const char *text, struct segment_name *name)
{
    static const char shape[SEGMENT_NAME] = "0000000000000000-00000000T000000Z.jsonl";

    if (strlen(text) != sizeof shape - 1)
        return false;
    for (size_t i = 0; shape[i] != '\0'; i++)
        if (shape[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i])
            return false;
    memcpy(name->text, text, SEGMENT_NAME);
    name->first_seq = strtoull(text, NULL, 10);
    return true;
}

static int compare_names(const void *a, const void *b)
{
    const struct segment_name *one = a, *other = b;

    return strcmp(one->text, other->text);
}

bool directory_list(const struct directory *directory, struct segment_name **names, size_t *count)
{
    DIR *handle = opendir(directory->path);
    struct dirent *item;
    size_t room = 0;

    *names = NULL;
    *count = 0;
    if (handle == NULL)
        return false;
    while (errno = 0, (item = readdir(handle)) != NULL) {
        struct segment_name name;

        if (!segment_name_read(item->d_name, &name))
            continue;
        if (*count == room) {
            room = room > 0 ? room * 2 : 64;
            struct segment_name *more = reallocarray(*names, room, sizeof *more);
            if (more == NULL)
                break;
            *names = more;
        }
        (*names)[(*count)++] = name;
    }
    int fault = errno;
    closedir(handle);
    if (fault != 0) {
        free(*names);
        *names = NULL;
        errno = fault;
        return false;
    }
    if (*count > 0)
        qsort(*names, *count, sizeof **names, compare_names);
    return true;
}
