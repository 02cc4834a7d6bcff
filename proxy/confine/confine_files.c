#include "proxy/confine/confine_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Debian 12's headers are older than many kernels that run it: landlock(7) has the versions. */
#define FS_REFER        (1ull << 13)
#define FS_TRUNCATE     (1ull << 14)
#define FS_IOCTL_DEV    (1ull << 15)
#define NET_BIND_TCP    (1ull << 0)
#define SCOPE_ABSTRACT  (1ull << 0) /* sockets of the abstract namespace that are not ours */
#define SCOPE_SIGNAL    (1ull << 1)
#define FS_OF_VERSION_1 ((1ull << 13) - 1)

#define FS_ON_A_FILE                                                                                         \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |             \
     FS_TRUNCATE | FS_IOCTL_DEV)

static const struct {
    enum confine_access access;
    uint64_t rights;
} rights_of[] = {
    {CONFINE_READ, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR},
    {CONFINE_WRITE, LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                        LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                        LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK | FS_REFER | FS_TRUNCATE},
    {CONFINE_EXECUTE, LANDLOCK_ACCESS_FS_EXECUTE},
};

/* As the kernel reads it; a shorter one by older kernels. */
struct ruleset_attributes {
    uint64_t handled_fs, handled_net, scoped;
};

struct confine_files {
    int ruleset;
    uint64_t handled; /* rights to files that the kernel knows */
    int fault;        /* errno of the first path that could be opened and not be allowed */
};

static uint64_t handled_by(long version)
{
    return FS_OF_VERSION_1 | (version >= 2 ? FS_REFER : 0) | (version >= 3 ? FS_TRUNCATE : 0) |
           (version >= 5 ? FS_IOCTL_DEV : 0);
}

struct confine_files *confine_files_new(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct confine_files *files = version >= 1 ? calloc(1, sizeof *files) : NULL;

    if (files == NULL)
        return NULL;
    const struct ruleset_attributes attributes = {
        .handled_fs = handled_by(version),
        .handled_net = version >= 4 ? NET_BIND_TCP : 0,
        .scoped = version >= 6 ? SCOPE_ABSTRACT | SCOPE_SIGNAL : 0,
    };
    size_t size = version >= 6   ? sizeof attributes
                  : version >= 4 ? offsetof(struct ruleset_attributes, scoped)
                                 : offsetof(struct ruleset_attributes, handled_net);
    files->handled = attributes.handled_fs;
    files->ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
    if (files->ruleset >= 0)
        return files;
    free(files);
    return NULL;
}

static uint64_t rights(unsigned access)
{
    uint64_t all = 0;

    for (size_t i = 0; i < sizeof rights_of / sizeof *rights_of; i++)
        if (access & rights_of[i].access)
            all |= rights_of[i].rights;
    return all;
}

void confine_files_allow(struct confine_files *files, const char *path, unsigned access)
{
    int beneath = open(path, O_PATH | O_CLOEXEC);
    struct stat status;

    if (beneath < 0) /* who needs it will say so */
        return;
    struct landlock_path_beneath_attr rule = {.allowed_access = rights(access) & files->handled,
                                              .parent_fd = beneath};
    if (fstat(beneath, &status) == 0 && !S_ISDIR(status.st_mode))
        rule.allowed_access &= FS_ON_A_FILE;
    if (syscall(SYS_landlock_add_rule, files->ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
        files->fault = files->fault != 0 ? files->fault : errno;
    (void)close(beneath);
}

void confine_files_allow_around(struct confine_files *files, const char *path, unsigned access)
{
    char *copy = strdup(path), *real = realpath(path, NULL);

    if (copy != NULL)
        confine_files_allow(files, dirname(copy), access);
    else
        files->fault = ENOMEM;
    if (real != NULL)
        confine_files_allow(files, dirname(real), access);
    free(copy);
    free(real);
}

enum confine_result confine_files_enforce(struct confine_files *files, char *error, size_t error_size)
{
    int fault = files->fault;

    if (fault == 0 && syscall(SYS_landlock_restrict_self, files->ruleset, 0) != 0)
        fault = errno;
    (void)close(files->ruleset);
    free(files);
    if (fault == 0)
        return CONFINE_DONE;
    (void)snprintf(error, error_size, "cannot restrict which files may be opened (landlock): %s",
                   strerrordesc_np(fault));
    return CONFINE_FAILED;
}
