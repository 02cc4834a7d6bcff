#include "proxy/service/file_watch.h"

#include "proxy/base/clock.h"

#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MOST 40 /* on the way to one file, as the kernel has it */

/* A name that appears, goes, or is closed by whoever wrote it. Bytes that are written tell nothing yet. */
#define IN_DIRECTORY                                                                                         \
    (IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MOVE_SELF | IN_DELETE_SELF |  \
     IN_ONLYDIR)
#define ON_FILE (IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF)

struct file_watch {
    struct event_base *base;
    void (*changed)(void *arg);
    void *arg;
    struct watched_files files;
    int descriptor; /* of inotify; -1: nothing is watched */
    struct event *readable, *quiet;
    int64_t first_us; /* event since the last look; 0: there was none */
};

bool watched_files_add(struct watched_files *files, const char *path)
{
    struct watched_file *items = reallocarray(files->items, files->count + 1, sizeof *items);
    char *copy = strdup(path);

    if (items != NULL)
        files->items = items;
    if (items != NULL && copy != NULL) {
        items[files->count++] = (struct watched_file){.path = copy, .mark = file_mark(path)};
        return true;
    }
    free(copy);
    return false;
}

void watched_files_free(struct watched_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->items[i].path);
    free(files->items);
    *files = (struct watched_files){0};
}

/* ---- where to look ---- */

/* What is still to be walked of one path. */
struct walk {
    int descriptor;
    char done[PATH_MAX]; /* without a link in it; "" is the root */
    char rest[PATH_MAX];
    unsigned links;
    bool right;
};

static void watch_path(struct walk *walk, const char *path, uint32_t events)
{
    if (inotify_add_watch(walk->descriptor, path, events) < 0 && errno != ENOENT && errno != ENOTDIR)
        walk->right = false;
}

/* Takes the first name of the rest. False at the end. */
static bool take_name(struct walk *walk, char name[static NAME_MAX + 1])
{
    const char *begin = walk->rest + strspn(walk->rest, "/");
    size_t length = strcspn(begin, "/");

    if (length == 0 || length > NAME_MAX)
        return false;
    memcpy(name, begin, length);
    name[length] = '\0';
    memmove(walk->rest, begin + length, strlen(begin + length) + 1);
    return true;
}

static void go_up(struct walk *walk)
{
    char *slash = strrchr(walk->done, '/');

    if (slash != NULL)
        *slash = '\0';
}

/* Puts what the link says before the rest. */
static bool follow(struct walk *walk, const char *link)
{
    char target[PATH_MAX], rest[PATH_MAX];
    ssize_t length = readlink(link, target, sizeof target - 1);

    if (length <= 0 || ++walk->links > LINKS_MOST)
        return false;
    target[length] = '\0';
    memcpy(rest, walk->rest, sizeof rest);
    if (target[0] == '/')
        walk->done[0] = '\0';
    return (size_t)snprintf(walk->rest, sizeof walk->rest, "%s/%s", target, rest) < sizeof walk->rest;
}

/* Goes one name further. The directory that holds a link is watched, and the last one that there is. */
static bool step(struct walk *walk, const char *name)
{
    char path[PATH_MAX];
    struct stat status;
    const char *holder = walk->done[0] != '\0' ? walk->done : "/";

    if (strcmp(name, ".") == 0)
        return true;
    if (strcmp(name, "..") == 0) {
        go_up(walk);
        return true;
    }
    if ((size_t)snprintf(path, sizeof path, "%s/%s", walk->done, name) >= sizeof path)
        return false;
    bool there = lstat(path, &status) == 0;
    if (!there || !S_ISDIR(status.st_mode))
        watch_path(walk, holder, IN_DIRECTORY);
    if (there && S_ISLNK(status.st_mode))
        return follow(walk, path);
    memcpy(walk->done, path, sizeof path);
    return there;
}

/* Watches what leads to the file, and the file. */
static bool watch_file(int descriptor, const char *path)
{
    struct walk walk = {.descriptor = descriptor, .right = true};
    char name[NAME_MAX + 1];
    bool further = (size_t)snprintf(walk.rest, sizeof walk.rest, "%s", path) < sizeof walk.rest;

    while (further && take_name(&walk, name))
        further = step(&walk, name);
    if (further)
        watch_path(&walk, walk.done, ON_FILE);
    return walk.right;
}

/* ---- what happens ---- */

static void arm(struct file_watch *watch)
{
    int64_t now = clock_monotonic_us();

    if (watch->first_us == 0)
        watch->first_us = now;
    int64_t left_ms = FILE_WATCH_LONGEST_MS - (now - watch->first_us) / 1000;
    int64_t wait_ms = left_ms < 0 ? 0 : left_ms < FILE_WATCH_QUIET_MS ? left_ms : FILE_WATCH_QUIET_MS;
    const struct timeval wait = {0, (suseconds_t)wait_ms * 1000};
    (void)event_add(watch->quiet, &wait);
}

/* Which file it was of does not matter: the marks say what changed. */
static void on_readable(int descriptor, short what, void *arg)
{
    char events[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
    (void)what;

    while (read(descriptor, events, sizeof events) > 0)
        continue;
    arm(arg);
}

static void stop_watching(struct file_watch *watch)
{
    if (watch->readable != NULL)
        event_free(watch->readable);
    watch->readable = NULL;
    if (watch->descriptor >= 0)
        (void)close(watch->descriptor);
    watch->descriptor = -1;
}

/* Watches the ways to all files as they are now. The old watches go only when the new ones are there, and
 * nobody compares a mark before: so nothing slips through. */
static bool renew(struct file_watch *watch)
{
    int descriptor = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    bool right = descriptor >= 0;

    if (!right)
        return false;
    for (size_t i = 0; i < watch->files.count; i++)
        right = watch_file(descriptor, watch->files.items[i].path) && right;
    stop_watching(watch);
    watch->descriptor = descriptor;
    watch->readable = event_new(watch->base, descriptor, EV_READ | EV_PERSIST, on_readable, watch);
    return watch->readable != NULL && event_add(watch->readable, NULL) == 0 && right;
}

static bool is_changed(const struct file_watch *watch)
{
    for (size_t i = 0; i < watch->files.count; i++) {
        const struct file_mark now = file_mark(watch->files.items[i].path);
        if (!file_mark_equal(&now, &watch->files.items[i].mark))
            return true;
    }
    return false;
}

static void on_quiet(int descriptor, short what, void *arg)
{
    struct file_watch *watch = arg;
    (void)descriptor;
    (void)what;

    watch->first_us = 0;
    (void)renew(watch);
    if (is_changed(watch))
        watch->changed(watch->arg);
}

/* ---- */

struct file_watch *file_watch_new(struct event_base *base, void (*changed)(void *arg), void *arg)
{
    struct file_watch *watch = calloc(1, sizeof *watch);

    if (watch == NULL)
        return NULL;
    *watch = (struct file_watch){.base = base, .changed = changed, .arg = arg, .descriptor = -1};
    watch->quiet = event_new(base, -1, 0, on_quiet, watch);
    if (watch->quiet != NULL)
        return watch;
    free(watch);
    return NULL;
}

void file_watch_free(struct file_watch *watch)
{
    if (watch == NULL)
        return;
    stop_watching(watch);
    event_free(watch->quiet);
    watched_files_free(&watch->files);
    free(watch);
}

bool file_watch_set(struct file_watch *watch, struct watched_files *files)
{
    watched_files_free(&watch->files);
    watch->files = *files;
    *files = (struct watched_files){0};
    bool right = renew(watch);
    if (is_changed(watch))
        arm(watch);
    return right;
}
