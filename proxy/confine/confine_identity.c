#include "proxy/confine/confine_internal.h"

#include "proxy/base/log.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct identity {
    uid_t user;
    gid_t group;
};

static enum confine_result fail(const char *what, char *error, size_t error_size)
{
    (void)snprintf(error, error_size, "%s: %s", what, strerrordesc_np(errno));
    return CONFINE_FAILED;
}

static bool find(const char *user, const char *group, struct identity *identity, char *error,
                 size_t error_size)
{
    const struct passwd *account = getpwnam(user);

    if (account == NULL) {
        (void)snprintf(error, error_size, "process.user: there is no user \"%s\"", user);
        return false;
    }
    *identity = (struct identity){account->pw_uid, account->pw_gid};
    if (group == NULL)
        return true;
    const struct group *entry = getgrnam(group);
    if (entry == NULL) {
        (void)snprintf(error, error_size, "process.group: there is no group \"%s\"", group);
        return false;
    }
    identity->group = entry->gr_gid;
    return true;
}

/* Groups first: afterwards we may not. What the account's other groups may is given up, too. */
static enum confine_result become(const struct identity *identity, char *error, size_t error_size)
{
    if (setgroups(1, &identity->group) != 0 ||
        setresgid(identity->group, identity->group, identity->group) != 0 ||
        setresuid(identity->user, identity->user, identity->user) != 0)
        return fail("process.user: cannot become that user", error, error_size);
    if (identity->user != 0 && setuid(0) == 0) {
        (void)snprintf(error, error_size, "process.user: root could be had back");
        return CONFINE_FAILED;
    }
    /* The kernel forgets this with the change of user. */
    if (prctl(PR_SET_DUMPABLE, 0) != 0)
        return fail("process.user: core dumps cannot be forbidden", error, error_size);
    return CONFINE_DONE;
}

/* Root's own are what its access to files is made of, and stay with it. */
static enum confine_result drop_capabilities(char *error, size_t error_size)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL)
        return fail("cannot drop ambient capabilities", error, error_size);
    if (geteuid() != 0 && syscall(SYS_capset, &header, none) != 0)
        return fail("cannot drop capabilities", error, error_size);
    return CONFINE_DONE;
}

enum confine_result confine_identity(const char *user, const char *group, char *error, size_t error_size)
{
    struct identity identity = {0};
    enum confine_result result = CONFINE_DONE;

    if (user != NULL) {
        if (!find(user, group, &identity, error, error_size))
            return CONFINE_FAILED;
        if (geteuid() == 0) {
            result = become(&identity, error, error_size);
        } else if (geteuid() != identity.user || (group != NULL && getegid() != identity.group)) {
            (void)snprintf(
                error, error_size,
                "process.user: only root can become \"%s\": start the gate as root or as that user", user);
            result = CONFINE_FAILED;
        }
    } else if (geteuid() == 0) {
        log_event(LOG_WARNING, "confine",
                  "the gate runs as root and stays it: name an account for it in process.user");
    }
    if (result == CONFINE_DONE)
        result = drop_capabilities(error, error_size);
    if (result == CONFINE_DONE && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        result = fail("cannot set no_new_privs", error, error_size);
    return result;
}
