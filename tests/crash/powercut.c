/* What a power cut would leave of a directory: a library for LD_PRELOAD that keeps beside it, at every
 * moment, what its program has made durable and nothing else.
 *
 *   POWERCUT_ROOT    absolute path: what happens to files and directories below it is followed
 *   POWERCUT_SHADOW  absolute path of a directory that is there, not below the root. In it:
 *                      f-<inode>-<birth>  a file's bytes as they were when it was last synced
 *                      d-<inode>-<birth>  a directory's entries when it was last synced:
 * "<kind>-<inode>-<birth> <name>" lines POWERCUT_FAIL    n: every n-th sync of a file fails with EIO, and
 * what it was to make durable is not
 *
 * Each of these files is replaced as a whole, so that a program killed anywhere leaves the one or the other.
 * A directory's entry is durable when the directory was synced, a file's bytes when the file was: that is the
 * least that POSIX promises, and less than most file systems keep. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME 80

typedef int sync_call(int fd);

/* Names a file for good: inode numbers are used again, with another time of birth. */
static bool name_of(int fd, const char *path, char name[static NAME])
{
    struct statx status;

    if (statx(fd, path, path[0] == '\0' ? AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW,
              STATX_BASIC_STATS | STATX_BTIME, &status) != 0)
        return false;
    snprintf(name, NAME, "%c-%llu-%lld.%09u", S_ISDIR(status.stx_mode) ? 'd' : 'f',
             (unsigned long long)status.stx_ino, (long long)status.stx_btime.tv_sec,
             status.stx_btime.tv_nsec);
    return true;
}

/* Is it the root, or below it? */
static bool is_followed(int fd)
{
    const char *root = getenv("POWERCUT_ROOT");
    char link[64], path[PATH_MAX];

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (root == NULL || getenv("POWERCUT_SHADOW") == NULL || length < 0)
        return false;
    path[length] = '\0';
    size_t head = strlen(root);
    return strncmp(path, root, head) == 0 && (path[head] == '/' || path[head] == '\0');
}

static void die(const char *what)
{
    fprintf(stderr, "powercut: %s: %s\n", what, strerror(errno));
    abort();
}

/* A passing file in the shadow, which `publish` gives its name. */
static int begin(char passing[static PATH_MAX])
{
    static atomic_uint number;

    snprintf(passing, PATH_MAX, "%s/.%d-%u", getenv("POWERCUT_SHADOW"), getpid(),
             atomic_fetch_add(&number, 1));
    int fd = open(passing, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        die(passing);
    return fd;
}

static void publish(const char *passing, const char *name)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", getenv("POWERCUT_SHADOW"), name);
    if (rename(passing, path) != 0)
        die(path);
}

static void keep_file(int fd, const char *name)
{
    char passing[PATH_MAX], link[64], buffer[16384];
    ssize_t got;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int in = open(link, O_RDONLY | O_CLOEXEC), out = begin(passing);
    if (in < 0)
        die(link);
    while ((got = read(in, buffer, sizeof buffer)) > 0)
        if (write(out, buffer, (size_t)got) != got)
            die(passing);
    if (got < 0)
        die(link);
    close(in);
    close(out);
    publish(passing, name);
}

static void keep_directory(int fd, const char *name)
{
    int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *handle = again >= 0 ? fdopendir(again) : NULL;
    char passing[PATH_MAX], entry[NAME];
    struct dirent *item;

    if (handle == NULL)
        die("a directory");
    FILE *out = fdopen(begin(passing), "w");
    if (out == NULL)
        die(passing);
    while ((item = readdir(handle)) != NULL)
        if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0 &&
            name_of(fd, item->d_name, entry))
            fprintf(out, "%s %s\n", entry, item->d_name);
    if (fclose(out) != 0)
        die(passing);
    closedir(handle);
    publish(passing, name);
}

static bool fails(void)
{
    static atomic_ulong count;
    const char *every = getenv("POWERCUT_FAIL");

    return every != NULL && (atomic_fetch_add(&count, 1) + 1) % strtoul(every, NULL, 10) == 0;
}

static int sync_and_keep(int fd, const char *call)
{
    /* Of two threads that sync a directory, the one that looks later must be the one whose view stays. */
    static pthread_mutex_t keeping = PTHREAD_MUTEX_INITIALIZER;
    sync_call *system = NULL;
    char name[NAME];

    *(void **)&system = dlsym(RTLD_NEXT, call);
    if (!is_followed(fd) || !name_of(fd, "", name))
        return system(fd);
    if (name[0] == 'f' && fails()) {
        errno = EIO;
        return -1;
    }
    int result = system(fd), fault = errno;
    pthread_mutex_lock(&keeping);
    if (result == 0 && name[0] == 'f')
        keep_file(fd, name);
    else if (result == 0)
        keep_directory(fd, name);
    pthread_mutex_unlock(&keeping);
    errno = fault;
    return result;
}

int fsync(int fd)
{
    return sync_and_keep(fd, "fsync");
}

int fdatasync(int fd)
{
    return sync_and_keep(fd, "fdatasync");
}
