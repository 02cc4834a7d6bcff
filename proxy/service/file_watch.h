/* Looks for changes of files (inotify(7)), in the ways in which people and machines make them: written in
 * place; another file renamed over it; a link on the way to it turned elsewhere, as Kubernetes swaps whole
 * volumes (policy.json -> ..data/policy.json, ..data -> ..2026_11_23); its directory put in the place of
 * another.
 *
 * The directories on the way are watched, and the file itself; whether a file is another one than before is
 * asked of its mark. Some time has to pass in which nothing happens before anybody is told, since sets of
 * files are rarely written at once. A file system that tells nobody of changes (one of a network, changed at
 * another machine) is not seen. */
#ifndef PROXY_SERVICE_FILE_WATCH_H
#define PROXY_SERVICE_FILE_WATCH_H

#include "proxy/base/file.h"

struct event_base;
struct file_watch;

struct watched_file {
    char *path; /* absolute */
    struct file_mark mark;
};

/* A zeroed struct is the empty list. */
struct watched_files {
    struct watched_file *items;
    size_t count;
};

/* Adds a file with its mark of now. False when memory is out. */
bool watched_files_add(struct watched_files *files, const char *path);
void watched_files_free(struct watched_files *files); /* and makes it empty */

/* How long nothing may happen before a change is told, and for how long at most it is waited for that. */
#define FILE_WATCH_QUIET_MS   200
#define FILE_WATCH_LONGEST_MS 2000

/* Calls changed(arg) in the loop, never from within another call, when one of the files has another mark than
 * the one given; and again with each further event around them, until file_watch_set gives new marks. NULL
 * when memory is out.
 */
struct file_watch *file_watch_new(struct event_base *base, void (*changed)(void *arg), void *arg);
void file_watch_free(struct file_watch *watch);

/* The files to look for from now on, with marks from before they were read: what changed since is told, too.
 * The list is taken over, and *files made empty. False (errno) when not all of it can be watched; what can be
 * is. */
bool file_watch_set(struct file_watch *watch, struct watched_files *files);

#endif
