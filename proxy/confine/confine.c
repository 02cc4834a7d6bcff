#include "proxy/confine/confine_internal.h"

#include "proxy/base/log.h"
#include "proxy/config/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* What the C library, OpenSSL and the sanitizers read by themselves: names, trusted certificates, modules,
 * time zones; and where systemd and Kubernetes put secrets, since a later policy may name new ones. */
static const char *const read_by_libraries[] = {
    "/etc",
    "/lib",
    "/lib64",
    "/proc",
    "/run/NetworkManager",
    "/run/credentials",
    "/run/resolvconf",
    "/run/secrets",
    "/run/systemd/resolve",
    "/sys/devices/system/cpu",
    "/usr",
    "/var/run/secrets",
    "/dev/random",
    "/dev/urandom",
};

/* A directory that the gate keeps to itself must be there before it can be allowed. What is wrong with it,
 * its owner will say. */
static void allow_directory(struct confine_files *files, const char *path)
{
    (void)mkdir(path, 0700);
    confine_files_allow(files, path, CONFINE_READ | CONFINE_WRITE);
}

/* What a setting names may be used as its kind says: a new setting needs nothing here. */
static void allow_setting(struct confine_files *files, const struct config *config,
                          const struct setting *setting)
{
    const void *value = (const char *)config + setting->offset;
    const char *path = setting->kind == SETTING_SECRET ? ((const struct config_secret *)value)->file
                       : setting_is_text(setting)      ? *(char *const *)value
                                                       : NULL;

    if (path == NULL || path[0] != '/')
        return;
    if (setting->kind == SETTING_DIRECTORY)
        allow_directory(files, path);
    else if (setting->kind == SETTING_LOG || setting->kind == SETTING_SOCKET)
        confine_files_allow_around(files, path, CONFINE_READ | CONFINE_WRITE);
    else if (setting->kind == SETTING_FILE || setting->kind == SETTING_KEY || setting->kind == SETTING_SECRET)
        confine_files_allow_around(files, path, CONFINE_READ);
}

/* A file that the policy names, relative to it. */
static void allow_beside(struct confine_files *files, const struct config *config, const char *name)
{
    char *path = path_beside(config->policy, name);

    if (path != NULL)
        confine_files_allow_around(files, path, CONFINE_READ);
    free(path);
}

/* The files of credentials and keys that the policy names. */
static void allow_named(struct confine_files *files, const struct config *config,
                        const struct ruleset *ruleset)
{
    size_t count;
    const struct credential_source *sources = policy_credentials(ruleset_policy(ruleset), &count);

    const struct oauth_rules *oauth = policy_oauth(ruleset_policy(ruleset));

    for (size_t i = 0; i < count; i++)
        if (sources[i].kind == CREDENTIAL_FILE)
            allow_beside(files, config, sources[i].name);
    if (oauth != NULL)
        allow_beside(files, config, oauth->keys);
}

/* The file of a socket is removed at the end. */
static void allow_listeners(struct confine_files *files, const struct config *config)
{
    for (size_t i = 0; i < config->listen_count; i++)
        if (config->listen[i].address.kind == ADDRESS_UNIX)
            confine_files_allow_around(files, config->listen[i].address.host, CONFINE_WRITE);
    if (config->admin.listen.text != NULL && config->admin.listen.kind == ADDRESS_UNIX)
        confine_files_allow_around(files, config->admin.listen.host, CONFINE_WRITE);
    if (config->approvals.listen.text != NULL && config->approvals.listen.kind == ADDRESS_UNIX)
        confine_files_allow_around(files, config->approvals.listen.host, CONFINE_WRITE);
}

static enum confine_result confine_paths(const struct config *config, const struct ruleset *ruleset,
                                         const char *port_file, char *error, size_t error_size)
{
    struct confine_files *files = confine_files_new();
    size_t count;
    const struct setting *settings = config_settings(&count);

    if (files == NULL)
        return CONFINE_LACKING;
    for (size_t i = 0; i < count; i++)
        allow_setting(files, config, &settings[i]);
    allow_named(files, config, ruleset);
    allow_listeners(files, config);
    for (size_t i = 0; i < sizeof read_by_libraries / sizeof *read_by_libraries; i++)
        confine_files_allow(files, read_by_libraries[i], CONFINE_READ);
    confine_files_allow(files, "/dev/null", CONFINE_READ | CONFINE_WRITE);
    if (port_file != NULL)
        confine_files_allow_around(files, port_file, CONFINE_READ | CONFINE_WRITE);
    if (config->audit.checkpoint_command != NULL)
        confine_files_allow(files, "/", CONFINE_READ | CONFINE_EXECUTE);
    return confine_files_enforce(files, error, error_size);
}

/* true: go on. */
static bool accept(enum confine_result result, const char *what, const struct config *config, char *error,
                   size_t error_size)
{
    if (result == CONFINE_LACKING && config->process.confine == CONFINE_REQUIRED)
        (void)snprintf(error, error_size,
                       "process.confine is \"required\", and this kernel, or what runs us, does not let us "
                       "restrict %s",
                       what);
    else if (result == CONFINE_LACKING)
        log_event(LOG_WARNING, "confine",
                  "this kernel, or what runs us, does not let us restrict %s: going on without", what);
    return result == CONFINE_DONE || (result == CONFINE_LACKING && config->process.confine == CONFINE_AUTO);
}

bool confine_process(const struct config *config, const struct ruleset *ruleset, const char *port_file,
                     char *error, size_t error_size)
{
    if (confine_identity(config->process.user, config->process.group, error, error_size) != CONFINE_DONE)
        return false;
    if (config->process.confine == CONFINE_OFF)
        return true;
    return accept(confine_paths(config, ruleset, port_file, error, error_size),
                  "which files may be opened (landlock)", config, error, error_size) &&
           accept(confine_calls(config->audit.checkpoint_command != NULL, error, error_size),
                  "system calls (seccomp)", config, error, error_size);
}
