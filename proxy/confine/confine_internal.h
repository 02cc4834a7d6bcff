/* The three steps of confine_process. */
#ifndef PROXY_CONFINE_CONFINE_INTERNAL_H
#define PROXY_CONFINE_CONFINE_INTERNAL_H

#include "proxy/confine/confine.h"

enum confine_result {
    CONFINE_DONE,
    CONFINE_LACKING, /* the kernel, or the sandbox around us, has no such thing: nothing was changed */
    CONFINE_FAILED,  /* with a message in error[] */
};

/* Becomes `user` (and `group`, else the user's own) for good; both may be NULL. Drops all capabilities and
 * sets no_new_privs. */
enum confine_result confine_identity(const char *user, const char *group, char *error, size_t error_size);

/* What may be done beneath a path. */
enum confine_access { CONFINE_READ = 1, CONFINE_WRITE = 2, CONFINE_EXECUTE = 4 };

/* The paths of a landlock ruleset while it is made. A path that cannot be opened is passed over. */
struct confine_files;

/* NULL when the kernel has no landlock. */
struct confine_files *confine_files_new(void);
void confine_files_allow(struct confine_files *files, const char *path, unsigned access);

/* The directory that holds the file, and the one that holds what it is a link to: files are replaced by
 * renaming and links by pointing elsewhere. */
void confine_files_allow_around(struct confine_files *files, const char *path, unsigned access);

/* Puts the ruleset in force, and frees it. */
enum confine_result confine_files_enforce(struct confine_files *files, char *error, size_t error_size);

/* Restricts system calls; `programs`: other programs are started, which may need any. */
enum confine_result confine_calls(bool programs, char *error, size_t error_size);

#endif
